import DequeModule
import Foundation

/// Writes a gzip file of many members, each of a megabyte of text, and compresses them on several threads.
///
/// Every gzip reader reads the members as one stream, and damage to one does not affect the others. The bytes
/// do not depend on the number of threads.
final class GzipMembers {
  private static let memberBytes = 1 << 20

  private let write: ([UInt8]) throws -> Void
  private let threads: Int
  private let queue: WorkQueue<[UInt8], [UInt8]>
  /// The members that are being compressed, the oldest first.
  private var submitted: Deque<WorkQueue<[UInt8], [UInt8]>.Pending> = []
  private var plain: [UInt8] = []
  private var isEmpty = true

  /// Calls `write` on the caller's thread with complete members in order.
  init(threads: Int, write: @escaping ([UInt8]) throws -> Void) {
    (self.threads, self.write) = (threads, write)
    queue = WorkQueue(threads: threads) { Gzip.compress($0) }
  }

  func add(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Self.memberBytes - plain.count)
      plain.append(contentsOf: piece)
      rest = rest.dropFirst(piece.count)
      if plain.count == Self.memberBytes { try compress() }
    }
  }

  func finish() throws {
    if !plain.isEmpty || isEmpty { try compress() }
    while !submitted.isEmpty { try writeOldest() }
  }

  private func compress() throws {
    submitted.append(queue.submit(plain))
    plain = []
    plain.reserveCapacity(Self.memberBytes)
    isEmpty = false
    while submitted.count > (threads > 1 ? 2 * threads : 0) { try writeOldest() }
  }

  private func writeOldest() throws {
    try write(submitted.removeFirst().get())
  }
}
