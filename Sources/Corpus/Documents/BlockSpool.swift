import Foundation
import Support

/// Blocks of input set aside on disk, to be taken up again in the same order: the rest of a stream that can be read only
/// once.
package final class BlockSpool {
  private let path: String
  private let options: ReaderOptions
  private var sources: [DocumentSource] = []
  private var output: OutputFile?
  private var input: InputFile?
  private var blocksRead = 0

  /// The file goes with the object.
  package init(_ path: String, options: ReaderOptions) throws {
    self.path = path
    self.options = options
    output = try OutputFile(path)
  }

  deinit { unlink(path) }

  package func append(_ block: DocumentBlock) throws {
    if sources.last != block.source { sources.append(block.source) }
    for value in [sources.count - 1, block.firstLine, block.bytes.count] {
      try withUnsafeBytes(of: value) { try output!.write($0) }
    }
    try output!.write(block.bytes)
  }

  /// The next block, nil after the last; news of the reader, which were told with the block itself, are left out.
  package func nextBlock() throws -> DocumentBlock? {
    if let output {
      try output.finish()
      self.output = nil
      input = try InputFile(path)
    }
    var header = [0, 0, 0]
    let read = try header.withUnsafeMutableBytes { try input!.read(into: $0) }
    guard read > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: header[2])
    guard try bytes.withUnsafeMutableBytes({ try input!.read(into: $0) }) == header[2] else {
      throw Failure(.inputOutput, "the spool has become shorter", file: path)
    }
    defer { blocksRead += 1 }
    return DocumentBlock(
      bytes: bytes, firstLine: header[1], source: sources[header[0]], options: options, counts: Summary(),
      warnings: [], number: blocksRead)
  }
}
