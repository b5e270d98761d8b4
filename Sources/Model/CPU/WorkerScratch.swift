import Foundation
import Support

/// Working memory of the operations, grown on the calling thread before work is shared out.
final class WorkerScratch: @unchecked Sendable {
  // Only the thread that calls operations grows it; workers touch their own part while an operation runs.
  private var base = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
  private var bytes = 4096

  deinit { base.deallocate() }

  /// One piece for the operation as a whole.
  func shared<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let needed = count * MemoryLayout<T>.stride
    if needed > bytes {
      base.deallocate()
      bytes = needed * 5 / 4
      let isLarge = bytes >= 4 << 20
      base = .allocate(byteCount: bytes, alignment: isLarge ? 2 << 20 : 4096)
      if isLarge { madvise(base, bytes, 14) }  // MADV_HUGEPAGE; a refusal costs only speed
    }
    return base.bindMemory(to: type, capacity: count)
  }

  /// A piece of `count` elements for each worker, worker w's at `w * stride`.
  func perWorker<T>(_ type: T.Type, _ count: Int, workers: Int) -> (
    base: UnsafeMutablePointer<T>, stride: Int
  ) {
    // Apart by an odd number of cache lines, so that workers do not meet in the same cache sets.
    let stride = (count * MemoryLayout<T>.stride + 4095) / 4096 * 4096 + 64 * 17
    let elements = stride / MemoryLayout<T>.stride
    return (shared(type, elements * workers), elements)
  }
}
