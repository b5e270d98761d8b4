/// The size of the output tile of a matmul that one task computes. It depends on the shape alone, and so do
/// the bits.
struct OutputTile {
  var rows: Int
  var columns: Int

  init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  /// Halves the longer side of rows × columns until there are enough tiles to share out: at least 8, and then
  /// as many as it takes to keep a tile at `area` numbers, up to 64. Stops when a tile is some 100
  /// microseconds of work (`inner` is k), because smaller tiles spend their time packing operands.
  init(rows: Int, columns: Int, inner: Int, area: Int = 1 << 18) {
    var down = 1, across = 1
    self.rows = rows
    self.columns = columns
    while self.rows * self.columns * inner > 1 << 24,
      down * across < 8 || (down * across < 64 && self.rows * self.columns > area)
    {
      if self.rows >= self.columns { down *= 2 } else { across *= 2 }
      self.rows = ((rows + down - 1) / down + 15) / 16 * 16
      self.columns = ((columns + across - 1) / across + 15) / 16 * 16
    }
  }
}
