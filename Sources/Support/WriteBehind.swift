import Foundation

/// Bytes for a new file, in order, which go on their way to the disk while more are made: a sync at the end then finds
/// little left to wait for.
package final class WriteBehind {
  /// What is written between two orders to the disk.
  private static let stretch = 8 << 20

  private let descriptor: Int32
  private let path: String
  private var written = 0
  private var ordered = 0

  /// The descriptor, at the start of its file, stays its owner's.
  package init(_ descriptor: Int32, path: String) { (self.descriptor, self.path) = (descriptor, path) }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try SystemCall.write(descriptor, bytes, path: path)
    written += bytes.count
    if written - ordered >= Self.stretch {
      SystemCall.startWriting(descriptor, from: ordered, count: written - ordered)
      ordered = written
    }
  }
}
