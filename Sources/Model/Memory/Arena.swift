import Foundation
import Support

/// One zeroed allocation, which an ``ArenaPlan`` cuts into buffers. The buffers live as long as the arena.
///
/// The model makes three kinds: parameters, gradients and activations. The system hands out memory page by page at the
/// first touch, in huge pages where it can: with small pages almost every random read of a value row would miss the
/// address cache.
package final class Arena {
  let base: UnsafeMutableRawPointer
  /// Nil unless the plan is checked.
  let ledger: BufferLedger?
  private let mapping: UnsafeMutableRawBufferPointer

  init(bytes: Int, isChecked: Bool = false) throws(Failure) {
    // The buffers start at a huge page.
    let page = 2 << 20, size = (bytes + page - 1) / page * page + page
    let mapping = mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw Failure(
        .failed, "cannot allocate \(bytes >> 20) MiB for the model",
        remedy: "Choose a smaller model, batch or context, or a machine with more memory")
    }
    self.mapping = UnsafeMutableRawBufferPointer(start: mapping, count: size)
    let base = mapping.alignedUp(toMultipleOf: page)
    self.base = base
    ledger = isChecked ? BufferLedger { memset(base + $0.lowerBound, 0xff, $0.count) } : nil
    madvise(base, size - page, 14)  // MADV_HUGEPAGE; without it only speed suffers
  }

  deinit { munmap(mapping.baseAddress, mapping.count) }
}
