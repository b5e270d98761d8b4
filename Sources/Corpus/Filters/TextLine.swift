import Foundation

/// A line of a text, up to LF, without one CR before it.
struct TextLine {
  let end: Int
  /// The start of the next line.
  let next: Int
  let hasFeed: Bool

  @inline(__always)
  init(_ text: UnsafePointer<UInt8>, _ start: Int, _ limit: Int) {
    if let found = memchr(text + start, 0x0a, limit - start) {
      let feed = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - text
      end = feed > start && text[feed - 1] == 0x0d ? feed - 1 : feed
      next = feed + 1
      hasFeed = true
    } else {
      (end, next, hasFeed) = (limit, limit, false)
    }
  }
}
