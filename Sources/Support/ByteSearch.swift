import Foundation

/// Finding bytes among bytes.
package enum ByteSearch {
  /// Where `pattern`, which is not empty, first occurs at or after `start`.
  package static func first(
    _ pattern: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int = 0
  ) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var at = start
    while at + pattern.count <= bytes.count {
      guard let found = memchr(base + at, Int32(pattern[0]), bytes.count - pattern.count + 1 - at) else {
        break
      }
      let place = UnsafeRawPointer(found) - base
      if memcmp(base + place, pattern, pattern.count) == 0 { return place }
      at = place + 1
    }
    return nil
  }
}
