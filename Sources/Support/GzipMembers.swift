import CZlib
import Foundation

/// Bytes on their way into a gzip file of many members, a megabyte of text each, compressed on several threads.
///
/// Members are independent: every gzip reader takes them for one stream, and damage to one leaves the others whole. What
/// is written does not depend on the number of threads.
final class GzipMembers {
  private static let memberBytes = 1 << 20

  private let write: ([UInt8]) throws -> Void
  private let crew: Crew?
  private let threads: Int
  private var plain: [UInt8] = []
  private var isEmpty = true

  /// `write` is called on the caller's thread, with whole members in order.
  init(threads: Int, write: @escaping ([UInt8]) throws -> Void) {
    self.write = write
    self.threads = threads
    crew = threads > 1 ? Crew(threads: threads) : nil
  }

  deinit { crew?.close() }

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
    while let member = crew?.next(isPatient: true) { try write(member) }
  }

  private func compress() throws {
    let bytes = plain
    plain = []
    plain.reserveCapacity(Self.memberBytes)
    isEmpty = false
    guard let crew else { return try write(Gzip.compress(bytes)) }
    crew.submit(bytes)
    while let member = crew.next(isPatient: crew.outstanding > 2 * threads) { try write(member) }
  }

}

/// Single gzip members in memory.
package enum Gzip {
  /// One member with nothing of where and when it was made.
  package static func compress(_ bytes: [UInt8], level: Int32 = 6) -> [UInt8] {
    var stream = z_stream()
    let windowBitsForGzip: Int32 = 15 + 16
    deflateInit2_(
      &stream, level, Z_DEFLATED, windowBitsForGzip, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      bytes.withUnsafeBufferPointer { bytes in
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        stream.avail_in = UInt32(bytes.count)
        stream.next_out = buffer.baseAddress
        stream.avail_out = UInt32(bound)
        let status = deflate(&stream, Z_FINISH)
        precondition(status == Z_STREAM_END, "deflateBound is no bound")
        count = bound - Int(stream.avail_out)
      }
    }
  }

}

extension GzipMembers {
  /// Threads that compress, and their work in order.
  private final class Crew: @unchecked Sendable {
    // All variables are guarded by `condition`.
    private let condition = NSCondition()
    private var waiting: [(number: Int, bytes: [UInt8])] = []
    private var done: [Int: [UInt8]] = [:]
    private var submitted = 0
    private var delivered = 0
    private var isClosed = false

    init(threads: Int) {
      for _ in 0..<threads {
        let thread = Thread { [self] in work() }
        thread.stackSize = 1 << 20
        thread.start()
      }
    }

    func close() {
      condition.withLock {
        isClosed = true
        condition.broadcast()
      }
    }

    var outstanding: Int { condition.withLock { submitted - delivered } }

    func submit(_ bytes: [UInt8]) {
      condition.withLock {
        waiting.append((submitted, bytes))
        submitted += 1
        condition.broadcast()
      }
    }

    /// The next member in order; nil when there is none or, without patience, when it is not done yet.
    func next(isPatient: Bool) -> [UInt8]? {
      condition.withLock {
        while true {
          if let member = done.removeValue(forKey: delivered) {
            delivered += 1
            return member
          }
          if !isPatient || delivered == submitted { return nil }
          condition.wait()
        }
      }
    }

    private func work() {
      while true {
        condition.lock()
        while waiting.isEmpty && !isClosed { condition.wait() }
        if isClosed { return condition.unlock() }
        let (number, bytes) = waiting.removeFirst()
        condition.unlock()
        let member = Gzip.compress(bytes)
        condition.withLock {
          done[number] = member
          condition.broadcast()
        }
      }
    }
  }
}
