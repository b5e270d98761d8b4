/// Counts of the lines or paragraphs of a text, and of those that repeat an earlier one.
struct RepeatedParts {
  var count = 0
  var duplicates = 0
  var duplicateCharacters = 0

  init() {}

  /// Paragraphs are separated by empty lines. White space at both ends of the text is ignored.
  init(paragraphsOf text: UnsafeRawBufferPointer, _ finder: inout RepeatedPartFinder) {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    let all = UTF8Text.trim(0..<text.count, in: base)
    finder.begin()
    var open: Range<Int>?
    var start = all.lowerBound
    while start < all.upperBound {
      let line = TextLine(base, start, all.upperBound)
      if line.end > start {
        open = (open?.lowerBound ?? start)..<line.end
      } else if let paragraph = open {
        add(text, paragraph, &finder)
        open = nil
      }
      start = line.next
    }
    if let paragraph = open { add(text, paragraph, &finder) }
  }

  private mutating func add(
    _ text: UnsafeRawBufferPointer, _ part: Range<Int>, _ finder: inout RepeatedPartFinder
  ) {
    count += 1
    let bytes = UnsafeRawBufferPointer(rebasing: text[part])
    guard finder.wasThere(bytes) else { return }
    duplicates += 1
    duplicateCharacters += UTF8Text.count(bytes)
  }
}
