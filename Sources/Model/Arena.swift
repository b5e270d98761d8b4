import Foundation
import Support

/// One zeroed allocation, cut into pieces by an ``ArenaPlan``; the pieces live as long as the arena.
///
/// The model makes three: parameters, gradients, activations. Memory is taken from the system page by page as it is
/// first touched, in huge pages where the system gives them, because random value rows would otherwise miss the
/// address cache on every read.
package final class Arena {
  fileprivate let base: UnsafeMutableRawPointer
  private let mapping: UnsafeMutableRawBufferPointer

  fileprivate init(bytes: Int) throws(Failure) {
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

/// Plans an arena and then cuts it: the same takes run twice, first to add up, then to hand out.
package struct ArenaPlan {
  /// Where the next piece begins, in bytes; set back to let pieces share their memory.
  package var position = 0
  private var bytes = 0
  private var arena: Arena?

  /// The first of the two runs: pointers must not be used yet.
  package var isPlanning: Bool { arena == nil }

  /// `count` elements, on cache lines of their own and, where they are many, pages: rows of 4 KiB that lie across two pages
  /// are read a tenth more slowly, as processors do not fetch ahead past the end of one.
  package mutating func take<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let size = count * MemoryLayout<T>.stride, unit = size < 1 << 20 ? 64 : 4096
    let start = (position + unit - 1) / unit * unit
    position = start + (size + 63) / 64 * 64
    bytes = max(bytes, position)
    guard let arena else { return UnsafeMutablePointer(bitPattern: 64)! }
    return (arena.base + start).bindMemory(to: type, capacity: max(count, 1))
  }

  package mutating func matrix<T: Real>(_ rows: Int, _ columns: Int) -> Matrix<T> {
    Matrix(take(T.self, rows * columns), rows: rows, columns: columns)
  }

  package mutating func vector<T: Real>(_ count: Int) -> Vector<T> {
    Vector(take(T.self, count), count: count)
  }

  /// Bytes that `layout` takes.
  package static func measure<Layout>(_ layout: (inout ArenaPlan) -> Layout) -> Int {
    var plan = ArenaPlan()
    _ = layout(&plan)
    return plan.bytes
  }

  /// Builds `layout` over one new arena, which the caller keeps.
  package static func build<Layout>(_ layout: (inout ArenaPlan) -> Layout) throws(Failure) -> (Layout, Arena)
  {
    var plan = ArenaPlan()
    _ = layout(&plan)
    let arena = try Arena(bytes: plan.bytes)
    plan = ArenaPlan()
    plan.arena = arena
    return (layout(&plan), arena)
  }
}
