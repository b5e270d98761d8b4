import Foundation
import Support

/// One zeroed allocation, cut into pieces by an ``ArenaPlan``; the pieces live as long as the arena.
///
/// The model makes three: parameters, gradients, activations. Memory is taken from the system page by page as it is
/// first touched, in huge pages where the system gives them, because random value rows would otherwise miss the
/// address cache on every read.
package final class Arena {
  let base: UnsafeMutableRawPointer
  private let mapping: UnsafeMutableRawBufferPointer

  init(bytes: Int) throws(Failure) {
    // From a huge page's start.
    let page = 2 << 20, size = (bytes + page - 1) / page * page + page
    let mapping = mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw Failure(
        .failed, "cannot allocate \(bytes >> 20) MiB for the model",
        remedy: "Choose a smaller model, batch or context, or a machine with more memory")
    }
    self.mapping = UnsafeMutableRawBufferPointer(start: mapping, count: size)
    base = mapping.alignedUp(toMultipleOf: page)
    madvise(base, size - page, 14)  // MADV_HUGEPAGE; a refusal costs only speed
  }

  deinit { munmap(mapping.baseAddress, mapping.count) }
}
