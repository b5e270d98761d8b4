/// The class of every code point of Unicode 16.0, one byte each: the version that `tokenizers` 0.23 and
/// `tiktoken` 0.14 are built with.
///
/// The version is part of the definition of a tokenizer, so the table is here and not taken from the
/// toolchain.
package enum CharacterClasses {
  /// 0x110000 bytes that live as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    for (index, run) in runs.enumerated() {
      let first = Int(run >> 3)
      let end = index + 1 < runs.count ? Int(runs[index + 1] >> 3) : 0x110000
      let value = UInt8(run & 7)
      if value == 7 {
        for point in first..<end {
          table[point] = point & 1 == 0 ? CharacterClass.upper : CharacterClass.lower
        }
      } else {
        (table + first).update(repeating: value, count: end - first)
      }
    }
    return UnsafePointer(table)
  }()

  /// For tests against the peers' tables.
  package static func classOf(_ point: Int) -> UInt8 { table[point] }
}
