import Foundation
import Support

/// Imports token files of other trainers into a dataset.
///
/// A document ends at each end-of-document id (in llm.c's files the id starts a document), and in Megatron's
/// files also where the index says. An id outside the vocabulary is an error: it means that another tokenizer
/// was used.
package final class DatasetImporter {
  /// Counts the bytes and words of a document's text, for perplexity per word and bits per byte.
  package typealias TextCounter = (UnsafeBufferPointer<UInt32>) throws -> (textBytes: Int, words: Int)

  private let writer: DatasetWriter
  private let countText: TextCounter
  private var document: [UInt32] = []
  /// Whether a document was started, possibly only by llm.c's mark.
  private var isOpen = false
  package private(set) var documents = 0
  package private(set) var tokens = 0

  package init(into writer: DatasetWriter, countText: @escaping TextCounter) {
    (self.writer, self.countText) = (writer, countText)
  }

  /// A file to import, and its split.
  package struct Source: Sendable, Equatable {
    package let path: String
    package let format: TokenFileFormat
    package let split: String
  }

  /// The token files at `path`: a file, all files of a directory sorted by name, or the prefix of Megatron's
  /// pair of files.
  ///
  /// If `split` is nil, it is taken from the file name: names that contain `train`, `val` or `test`,
  /// otherwise `train`.
  package static func sources(
    _ path: String, format: TokenFileFormat?, split: String?
  ) throws -> [Source] {
    var paths = [path]
    if Path.isDirectory(path) {
      paths = try SystemCall.names(in: path).sorted().filter { name in
        let isToken = [".bin", ".idx", ".npy"].contains { name.hasSuffix($0) }
        return isToken && !name.hasPrefix(".") && !name.hasSuffix(NumPyHeader.documentsSuffix)
      }.map { Path.join(path, $0) }
      // The index file stands for Megatron's pair of files.
      let indexes = Set(paths.filter { $0.hasSuffix(".idx") })
      paths.removeAll { $0.hasSuffix(".bin") && indexes.contains($0.dropLast(4) + ".idx") }
      if paths.isEmpty { throw Failure(.inputOutput, "the directory holds no token files", file: path) }
    } else if !Path.exists(path) {
      guard Path.exists(path + ".idx") else {
        throw Failure(
          .inputOutput, "no such file or directory", file: path, remedy: "Check the spelling of the path")
      }
      paths = [path + ".idx"]
    }
    return try paths.map { path in
      let format = try format ?? Self.format(of: path)
      return Source(
        path: path, format: format, split: split ?? Self.split(named: Path.name(of: path).lowercased()))
    }
  }

  private static func split(named name: String) -> String {
    if name.contains("train") { return "train" }
    if name.contains("val") { return "valid" }
    return name.contains("test") ? "test" : "train"
  }

  private static func format(of path: String) throws -> TokenFileFormat {
    if path.hasSuffix(".bin") && Path.exists(String(path.dropLast(4)) + ".idx") { return .megatron }
    let file = try MappedFile(path)
    return try withExtendedLifetime(file) {
      if file.bytes.starts(with: MegatronIndex.magic) { return .megatron }
      if NumPyHeader.isPresent(in: file.bytes) { return .numpy }
      if LLMCHeader.isPresent(in: file.bytes) { return .llmc }
      throw Failure(
        .usage, "has no header that identifies its format", file: path,
        remedy: "If it contains only 16-bit ids, give --format nanogpt")
    }
  }

  /// Imports a file. `isLast` means that the next file belongs to another split or format.
  package func add(_ source: Source, isLast: Bool) throws {
    switch source.format {
    case .megatron: try addMegatron(source)
    case .llmc:
      let file = try MappedFile(source.path)
      let element = try LLMCHeader.read(file.bytes, path: source.path)
      try addIDs(file.bytes, from: LLMCHeader.byteCount, element, source, markBegins: true)
      // The last document may continue in the next file.
      if !isLast { return }
    case .nanogpt:
      let file = try MappedFile(source.path)
      guard file.bytes.count % 2 == 0 else {
        throw Failure(
          .badInput, "the last id is incomplete", file: source.path, offset: file.bytes.count,
          remedy: "Copy the file again or recreate it")
      }
      try addIDs(file.bytes, from: 0, .u16, source, markBegins: false)
    case .numpy:
      let file = try MappedFile(source.path)
      let (element, start) = try NumPyHeader.read(file.bytes, path: source.path)
      try addIDs(file.bytes, from: start, element, source, markBegins: false)
    }
    if isOpen { try endDocument(source.split) }
  }

  private func addMegatron(_ source: Source) throws {
    let isBin = source.path.hasSuffix(".bin")
    let prefix = isBin || source.path.hasSuffix(".idx") ? String(source.path.dropLast(4)) : source.path
    let index = try MegatronIndex(prefix + ".idx")
    let file = try MappedFile(prefix + ".bin")
    let binary = Source(path: prefix + ".bin", format: .megatron, split: source.split)
    var end = 0
    for document in 0..<index.documents {
      isOpen = true
      for range in try index.sequences(ofDocument: document, binBytes: file.bytes.count) {
        try addIDs(
          UnsafeRawBufferPointer(rebasing: file.bytes[..<range.upperBound]), from: range.lowerBound,
          index.element, binary, markBegins: false)
        end = max(end, range.upperBound)
      }
      if isOpen { try endDocument(source.split) }
    }
    if end < file.bytes.count {
      throw Failure(
        .badInput, "\(file.bytes.count - end) bytes belong to no sequence of the index", file: binary.path,
        offset: end, remedy: "The two files do not belong together: copy both again or recreate them")
    }
  }

  private func addIDs(
    _ bytes: UnsafeRawBufferPointer, from start: Int, _ element: TokenElement, _ source: Source,
    markBegins: Bool
  ) throws {
    var ids: [Int64] = []
    let chunkBytes = element.byteCount << 16
    for offset in stride(from: start, to: bytes.count, by: chunkBytes) {
      try Interruption.check()
      ids.removeAll(keepingCapacity: true)
      element.read(
        UnsafeRawBufferPointer(rebasing: bytes[offset..<min(bytes.count, offset + chunkBytes)]), into: &ids)
      for (index, id) in ids.enumerated() {
        if id == writer.endOfDocument {
          if isOpen || !markBegins { try endDocument(source.split) }
          isOpen = markBegins
        } else {
          guard (0..<Int64(writer.vocabularySize)).contains(id) else {
            throw Failure(
              .badInput, "id \(id) is outside the vocabulary of \(writer.vocabularySize)", file: source.path,
              offset: offset + index * element.byteCount,
              remedy: "Give the tokenizer, and the --format, that the file was made with")
          }
          document.append(UInt32(id))
          isOpen = true
        }
      }
    }
  }

  private func endDocument(_ split: String) throws {
    try document.withUnsafeBufferPointer { ids in
      let (textBytes, words) = try countText(ids)
      try writer.append(ids, textBytes: textBytes, words: words, to: split)
    }
    documents += 1
    tokens += document.count + 1
    document.removeAll(keepingCapacity: true)
    isOpen = false
  }
}
