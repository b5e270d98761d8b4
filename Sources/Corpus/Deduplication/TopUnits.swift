import Support

/// The units with the most repeats, updated as the counts grow.
package struct TopUnits: Sendable {
  package struct Entry: Sendable, Equatable {
    package let hash: UInt64
    /// The number of occurrences after the first.
    package var repeats: Int
    /// One of its forms, truncated.
    package var text: String
  }

  /// In descending order of repeats, then ascending order of hashes.
  package private(set) var entries: [Entry] = []
  private let limit: Int
  /// A unit with fewer repeats does not enter the list.
  private var floor = 0

  private static let longestText = 120

  package init(limit: Int = 10) { self.limit = limit }

  /// Records that a unit occurred again; `repeats` is its new total.
  @inline(__always)
  package mutating func note(_ hash: UInt64, repeats: Int, text: () -> String) {
    if repeats >= floor { insert(hash, repeats, text) }
  }

  private mutating func insert(_ hash: UInt64, _ repeats: Int, _ text: () -> String) {
    func precedes(_ other: Entry) -> Bool {
      repeats > other.repeats || repeats == other.repeats && hash < other.hash
    }
    if let index = entries.firstIndex(where: { $0.hash == hash }) {
      entries[index].repeats = repeats
      if index > 0 && precedes(entries[index - 1]) {
        let entry = entries.remove(at: index)
        entries.insert(entry, at: entries.firstIndex(where: precedes) ?? entries.count)
      }
    } else if entries.count < limit || precedes(entries[limit - 1]) {
      let entry = Entry(hash: hash, repeats: repeats, text: Self.shortened(text()))
      entries.insert(entry, at: entries.firstIndex(where: precedes) ?? entries.count)
      if entries.count > limit { entries.removeLast() }
    }
    if entries.count == limit { floor = entries[limit - 1].repeats }
  }

  /// Sets the text of an entry whose text was not available when it was recorded.
  mutating func setText(of hash: UInt64, _ text: String) {
    guard let index = entries.firstIndex(where: { $0.hash == hash }) else { return }
    entries[index].text = Self.shortened(text)
  }

  private static func shortened(_ text: String) -> String {
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count <= longestText ? words : words.prefix(longestText - 1) + "…"
  }
}
