/// The part of a product that one task computes: a function of the shape alone.
struct OutputTile {
  var rows: Int
  var columns: Int

  init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  /// Halves the longer side until there are enough tiles to share out.
  ///
  /// That is 8, or as many as keep a tile at `area` numbers, 512 × 512 if nobody reads them soon; but none goes below
  /// some 100 microseconds of work, because small ones spend their time packing operands.
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
