/// The location of a document: the index of its file among the inputs, and its line from 1.
package struct DocumentLocation: Sendable, Equatable {
  /// 24 bits for the file and 40 bits for the line, so packed locations ascend in the order of the input.
  package let packed: UInt64

  package init(source: Int, line: Int) {
    packed = UInt64(min(source, 0xff_ffff)) << 40 | UInt64(line) & 0xff_ffff_ffff
  }

  package var source: Int { Int(packed >> 40) }
  package var line: Int { Int(packed & 0xff_ffff_ffff) }

  package init(packed: UInt64) { self.packed = packed }
}
