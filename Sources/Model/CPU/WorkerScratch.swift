import Foundation
import Support

/// Working memory of operations, handed out as leases that may nest.
///
/// The memory of a lease is valid until its closure returns. A lease inside another one takes other memory,
/// so that an operation may call another operation without losing its own. The memory grows to the most that
/// was leased at each depth of nesting and is kept until the end: steps of equal shapes allocate nothing.
///
/// Only the thread that calls operations takes leases. Workers use the memory while the lease lasts.
final class WorkerScratch: @unchecked Sendable {
  private struct Block {
    var base: UnsafeMutablePointer<UInt8>
    var bytes: Int
  }
  /// The memory for each depth of nesting.
  private var blocks: [Block] = []
  /// How many leases are live.
  private var depth = 0

  deinit { for block in blocks { block.base.deallocate() } }

  /// Leases `count` elements, uninitialized and aligned to a cache line.
  @inline(__always)
  func withBuffer<Element, Result>(
    of type: Element.Type, count: Int, _ body: (UnsafeMutablePointer<Element>) -> Result
  ) -> Result {
    let memory = begin(bytes: count * MemoryLayout<Element>.stride)
    defer { end() }
    return body(memory.bindMemory(to: type, capacity: count))
  }

  /// Leases `count` elements for each of some workers.
  @inline(__always)
  func withBuffers<Element, Result>(
    of type: Element.Type, count: Int, workers: Int, _ body: (WorkerBuffers<Element>) -> Result
  ) -> Result {
    // An odd number of cache lines beyond whole pages, so that workers do not compete for the same cache
    // sets.
    let bytes = (count * MemoryLayout<Element>.stride + 4095) / 4096 * 4096 + 64 * 17
    let stride = bytes / MemoryLayout<Element>.stride
    return withBuffer(of: type, count: stride * workers) { body(WorkerBuffers(base: $0, stride: stride)) }
  }

  private func begin(bytes: Int) -> UnsafeMutableRawPointer {
    if depth == blocks.count { blocks.append(Self.block(bytes: 4096)) }
    if bytes > blocks[depth].bytes {
      blocks[depth].base.deallocate()
      blocks[depth] = Self.block(bytes: bytes * 5 / 4)
    }
    depth += 1
    return UnsafeMutableRawPointer(blocks[depth - 1].base)
  }

  private func end() {
    depth -= 1
    #if DEBUG
      // A pointer that outlives its lease reads NaN.
      memset(blocks[depth].base, 0xff, blocks[depth].bytes)
    #endif
  }

  private static func block(bytes: Int) -> Block {
    Block(base: LargePages.allocate(UInt8.self, count: bytes), bytes: bytes)
  }
}

/// Memory of equal size for each worker.
struct WorkerBuffers<Element> {
  fileprivate let base: UnsafeMutablePointer<Element>
  fileprivate let stride: Int

  subscript(worker: Int) -> UnsafeMutablePointer<Element> { base + worker * stride }
}
