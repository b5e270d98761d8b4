import Foundation
import Support

/// Stores blocks of input in a temporary file so that a stream that can be read only once, such as a pipe,
/// can be processed a second time, in the same order.
package final class BlockSpool {
  private let path: String
  private let options: ReaderOptions
  private var sources: [DocumentSource] = []
  private var output: OutputFile?
  private var input: InputFile?
  private var blocksRead = 0

  /// The file is removed when the object is deallocated.
  package init(_ path: String, options: ReaderOptions) throws {
    self.path = path
    self.options = options
    output = try OutputFile(path)
    HalfWritten.insert(path)
  }

  deinit {
    unlink(path)
    HalfWritten.remove(path)
  }

  /// Appends a block and the documents that were parsed from it. Only the block's ``DocumentBlock/frame`` is
  /// needed.
  package func append(_ block: DocumentBlock, of batch: DocumentBatch) throws {
    if sources.last != block.source { sources.append(block.source) }
    let header = [
      sources.count - 1, block.firstLine, block.inputBytes, block.isConverted ? 1 : 0, block.records.count,
      batch.readBytes,
    ]
    try (header + block.records.flatMap(\.numbers)).withUnsafeBytes { try output!.write($0) }
    try batch.bytes.withUnsafeBytes {
      try output!.write(UnsafeRawBufferPointer(rebasing: $0[..<batch.readBytes]))
    }
  }

  /// The next block, nil after the last one. Its counts and warnings are empty: they were reported when the
  /// block was read from the input.
  package func nextBlock() throws -> DocumentBlock? {
    if let output {
      try output.finish()
      self.output = nil
      input = try InputFile(path)
    }
    guard let header = try numbers(6, isOptional: true), let records = try numbers(6 * header[4]) else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: header[5])
    try fill(&bytes)
    defer { blocksRead += 1 }
    return DocumentBlock(
      bytes: bytes, records: (0..<header[4]).map { WARCRecord(numbers: records[(6 * $0)..<(6 * $0 + 6)]) },
      inputBytes: header[2], firstLine: header[1], source: sources[header[0]], isConverted: header[3] == 1,
      options: options, counts: Summary(), warnings: [], number: blocksRead)
  }

  /// The next numbers of the file; nil at its end if `isOptional`.
  private func numbers(_ count: Int, isOptional: Bool = false) throws -> [Int]? {
    var numbers = [Int](repeating: 0, count: count)
    return try fill(&numbers, isOptional: isOptional) ? numbers : nil
  }

  @discardableResult
  private func fill<Element>(_ array: inout [Element], isOptional: Bool = false) throws -> Bool {
    let (wanted, read) = try array.withUnsafeMutableBytes { ($0.count, try input!.read(into: $0)) }
    if read == 0 && isOptional { return false }
    guard read == wanted else {
      throw Failure(.inputOutput, "the temporary file has become shorter", file: path)
    }
    return true
  }
}

extension WARCRecord {
  fileprivate var numbers: [Int] {
    let (kind, length) =
      switch state {
      case .whole: (0, 0)
      case .measured: (1, 0)
      case .truncated: (2, 0)
      case .skipped(let length): (3, length)
      }
    return [header.lowerBound, header.upperBound, content.lowerBound, content.upperBound, kind, length]
  }

  fileprivate init(numbers: ArraySlice<Int>) {
    let numbers = Array(numbers)
    let state: State =
      switch numbers[4] {
      case 0: .whole
      case 1: .measured
      case 2: .truncated
      default: .skipped(numbers[5])
      }
    self.init(header: numbers[0]..<numbers[1], content: numbers[2]..<numbers[3], state: state)
  }
}
