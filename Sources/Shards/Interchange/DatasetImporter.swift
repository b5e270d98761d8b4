import Foundation
import Support

/// Reads the token files of other trainers into a dataset.
///
/// Documents end at the end-of-document id wherever it stands (in llm.c's files it begins them), in Megatron's also
/// where the index says. An id outside the vocabulary is an error: it means another tokenizer.
package final class DatasetImporter {
  /// Counts the text of a document, for perplexity per word and bits per byte.
  package typealias TextCounter = (UnsafeBufferPointer<UInt32>) throws -> (textBytes: Int, words: Int)

  private let writer: DatasetWriter
  private let countText: TextCounter
  private var document: [UInt32] = []
  /// Whether a document has begun, if only with llm.c's mark.
  private var isOpen = false
  package private(set) var documents = 0
  package private(set) var tokens = 0

  package init(into writer: DatasetWriter, countText: @escaping TextCounter) {
    (self.writer, self.countText) = (writer, countText)
  }

  /// A file to import and the split it belongs to.
  package struct Source: Sendable, Equatable {
    package let path: String
    package let format: TokenFileFormat
    package let split: String
  }

  /// The token files that `path` stands for: a file, the files of a directory in the order of their names, or the prefix
  /// of Megatron's two.
  ///
  /// A `split` of nil is read off the name: what holds `train`, `val` or `test`, and `train` otherwise.
  package static func sources(
    _ path: String, format: TokenFileFormat?, split: String?
  ) throws -> [Source] {
    var paths = [path]
    if Path.isDirectory(path) {
      paths = try SystemCall.names(in: path).sorted().filter { name in
        let isToken = [".bin", ".idx", ".npy"].contains { name.hasSuffix($0) }
        return isToken && !name.hasPrefix(".") && !name.hasSuffix(NumPyHeader.documentsSuffix)
      }.map { Path.join(path, $0) }
      // Megatron's pair is known by its index.
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
        .usage, "has no header that tells its format", file: path,
        remedy: "If it holds nothing but ids of 16 bits, give --format nanogpt")
    }
  }

  /// Imports a file; `isLast` tells that the next one is of another split or format.
  package func add(_ source: Source, isLast: Bool) throws {
    switch source.format {
    case .megatron: try addMegatron(source)
    case .llmc:
      let file = try MappedFile(source.path)
      let element = try LLMCHeader.read(file.bytes, path: source.path)
      try addIDs(file.bytes, from: LLMCHeader.byteCount, element, source, markBegins: true)
      // Documents are cut where a file was full.
      if !isLast { return }
    case .nanogpt:
      let file = try MappedFile(source.path)
      guard file.bytes.count % 2 == 0 else {
        throw Failure(
          .badInput, "the last id is cut in two", file: source.path, offset: file.bytes.count,
          remedy: "Copy the file again or make it again")
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
    for document in 0..<index.documents {
      isOpen = true
      for range in try index.sequences(ofDocument: document, binBytes: file.bytes.count) {
        try addIDs(
          UnsafeRawBufferPointer(rebasing: file.bytes[..<range.upperBound]), from: range.lowerBound,
          index.element, binary, markBegins: false)
      }
      if isOpen { try endDocument(source.split) }
    }
  }

  private func addIDs(
    _ bytes: UnsafeRawBufferPointer, from start: Int, _ element: TokenElement, _ source: Source,
    markBegins: Bool
  ) throws {
    var ids: [Int64] = []
    let pieceBytes = element.byteCount << 16
    for offset in stride(from: start, to: bytes.count, by: pieceBytes) {
      try Interruption.check()
      ids.removeAll(keepingCapacity: true)
      element.read(
        UnsafeRawBufferPointer(rebasing: bytes[offset..<min(bytes.count, offset + pieceBytes)]), into: &ids)
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
