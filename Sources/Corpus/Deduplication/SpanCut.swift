/// A part of the compared text to be removed.
package struct SpanCut: Sendable, Equatable {
  package let start: Int
  package let end: Int
  /// The first occurrence of the text at `start`, or another one if none is kept.
  package let first: Int

  static let byteCount = 24

  var bytes: [UInt8] {
    [start, end, first].flatMap { withUnsafeBytes(of: UInt64($0).littleEndian, Array.init) }
  }

  init(start: Int, end: Int, first: Int) { (self.start, self.end, self.first) = (start, end, first) }

  init(_ bytes: UnsafeRawBufferPointer, at index: Int) {
    func word(_ number: Int) -> Int {
      Int(
        clamping: UInt64(
          littleEndian: bytes.loadUnaligned(
            fromByteOffset: index * Self.byteCount + 8 * number, as: UInt64.self)))
    }
    self.init(start: word(0), end: word(1), first: word(2))
  }
}
