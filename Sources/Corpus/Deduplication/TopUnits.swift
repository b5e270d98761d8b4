import Support

/// The units that came again most often, kept up to date as the counts grow.
package struct TopUnits: Sendable {
  package struct Entry: Sendable, Equatable {
    package let hash: UInt64
    /// Occurrences after the first.
    package var repeats: Int
    /// One of its forms, shortened.
    package var text: String
  }

  /// The most first; of equals the one with the smaller hash.
  package private(set) var entries: [Entry] = []
  private let limit: Int
  /// Fewer repeats than these are not enough for the list.
  private var floor = 0

  private static let longestText = 120

  package init(limit: Int = 10) { self.limit = limit }

  /// Notes that a unit came again, now `repeats` times in all.
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

  /// Gives an entry its text, where the text was not at hand when it was noted.
  mutating func setText(of hash: UInt64, _ text: String) {
    guard let index = entries.firstIndex(where: { $0.hash == hash }) else { return }
    entries[index].text = Self.shortened(text)
  }

  private static func shortened(_ text: String) -> String {
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count <= longestText ? words : words.prefix(longestText - 1) + "…"
  }
}
