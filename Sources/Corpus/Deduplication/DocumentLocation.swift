/// Where a document stands: a file by its number among the inputs, and a line counted from 1.
package struct DocumentLocation: Sendable, Equatable {
  /// 24 bits of file, 40 bits of line: ascending in the order of the input.
  package let packed: UInt64

  package init(source: Int, line: Int) {
    packed = UInt64(min(source, 0xff_ffff)) << 40 | UInt64(line) & 0xff_ffff_ffff
  }

  package var source: Int { Int(packed >> 40) }
  package var line: Int { Int(packed & 0xff_ffff_ffff) }

  package init(packed: UInt64) { self.packed = packed }
}
