import Support

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
