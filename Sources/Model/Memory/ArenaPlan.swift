import Support

/// Plans an ``Arena`` and then cuts it into buffers: the same layout runs twice, first to add up the bytes, then to hand
/// out the buffers.
///
/// Buffers follow each other. ``overlay(_:_:)`` gives the same memory to several parts of a layout that are never live at
/// the same time; ``scope(_:_:_:)`` names the buffers that are live together, so that a ``BufferLedger`` can check it.
package struct ArenaPlan {
  /// The offset of the next buffer, in bytes.
  private var position = 0
  private var bytes = 0
  private var arena: Arena?
  /// The scope of the next buffer.
  private var scope = 0

  /// Whether this is the first of the two runs; its addresses must not be used.
  package var isPlanning: Bool { arena == nil }

  // MARK: Buffers

  /// `count` elements that start on a cache line and, from 1 MiB on, on a page: processors do not prefetch past the end
  /// of a page, so rows of 4 KiB that cross one are read a tenth more slowly.
  package mutating func take<T>(_ name: @autoclosure () -> String, _ type: T.Type, _ count: Int)
    -> DeviceArray<T>
  {
    let size = count * MemoryLayout<T>.stride, unit = size < 1 << 20 ? 64 : 4096
    let start = (position + unit - 1) / unit * unit
    position = start + (size + 63) / 64 * 64
    bytes = max(bytes, position)
    arena?.ledger?.addBuffer(name(), start..<start + size, scope: scope)
    return DeviceArray((arena?.address ?? DeviceAddress(bits: 64)).advanced(by: start), count: count)
  }

  package mutating func matrix<T: Real>(_ name: @autoclosure () -> String, _ rows: Int, _ columns: Int)
    -> Matrix<T>
  {
    Matrix(take(name(), T.self, rows * columns).address, rows: rows, columns: columns)
  }

  package mutating func vector<T: Real>(_ name: @autoclosure () -> String, _ count: Int) -> Vector<T> {
    Vector(take(name(), T.self, count).address, count: count)
  }

  package mutating func operand<T: Real>(
    _ name: @autoclosure () -> String, _ rows: Int, _ columns: Int, isBF16: Bool
  ) -> Operand<T> {
    if isBF16 {
      return Operand(
        take(name(), UInt16.self, rows * columns).address, rows: rows, columns: columns, isBF16: true)
    }
    return Operand(matrix(name(), rows, columns))
  }

  package mutating func mixedMatrix<T: Real>(
    _ name: @autoclosure () -> String, _ rows: Int, _ columns: Int, isBF16: Bool
  ) -> MixedMatrix<T> {
    mixedMatrix(name(), matrix(name(), rows, columns), isBF16: isBF16)
  }

  /// `matrix` and, beside it in bf16, its form as an operand.
  package mutating func mixedMatrix<T: Real>(
    _ name: @autoclosure () -> String, _ matrix: Matrix<T>, isBF16: Bool
  ) -> MixedMatrix<T> {
    MixedMatrix(
      real: matrix,
      operand: isBF16
        ? operand(name() + ".bf16", matrix.rows, matrix.columns, isBF16: true) : Operand(matrix))
  }

  // MARK: Lifetimes

  /// Buffers that are live together, and no longer than `lifetime` says.
  ///
  /// A scope inside another one is a scope of its own: the outer one does not begin or end it.
  package mutating func scope<Content>(
    _ name: @autoclosure () -> String, _ lifetime: Lifetime, _ content: (inout ArenaPlan) -> Content
  ) -> (content: Content, scope: BufferScope) {
    let outer = scope
    defer { scope = outer }
    let ledger = arena?.ledger
    if let ledger { scope = ledger.addScope(name(), lifetime) }
    return (content(&self), BufferScope(scope, in: ledger))
  }

  /// Two parts of a layout in the same memory, which are never live at the same time.
  package mutating func overlay<First, Second>(
    _ first: (inout ArenaPlan) -> First, _ second: (inout ArenaPlan) -> Second
  ) -> (First, Second) {
    let start = position
    let first = first(&self), end = position
    position = start
    let second = second(&self)
    position = max(position, end)
    return (first, second)
  }

  /// One part for each element, all in the same memory, of which at most one is live at a time.
  package mutating func overlay<Element, Content>(
    each elements: some Sequence<Element>, _ content: (Element, inout ArenaPlan) -> Content
  ) -> [Content] {
    let start = position
    var end = start
    let contents = elements.map { element in
      position = start
      defer { end = max(end, position) }
      return content(element, &self)
    }
    position = end
    return contents
  }

  // MARK: Building

  /// The bytes that `layout` takes.
  package static func measure<Layout>(_ layout: (inout ArenaPlan) -> Layout) -> Int {
    var plan = ArenaPlan()
    _ = layout(&plan)
    return plan.bytes
  }

  /// Builds `layout` in a new arena, which the caller keeps as long as it uses the buffers.
  ///
  /// - Parameters:
  ///   - device: nil for a layout without memory, whose addresses must not be used.
  ///   - isChecked: keeps a ``BufferLedger`` of the arena.
  package static func build<Layout>(
    on device: (some Operations)?, isChecked: Bool = false, _ layout: (inout ArenaPlan) -> Layout
  ) throws(Failure) -> (Layout, Arena) {
    guard let device else {
      var plan = ArenaPlan()
      return (layout(&plan), Arena())
    }
    let arena = try Arena(bytes: measure(layout), on: device, isChecked: isChecked)
    var plan = ArenaPlan()
    plan.arena = arena
    return (layout(&plan), arena)
  }
}
