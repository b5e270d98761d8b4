import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct StopStringsTests {
  /// Random texts of two letters in random pieces, beside a search in the whole text.
  @Test func aTextEndsBeforeTheFirstStop() {
    var random = RandomGenerator(seed: 4)
    func letters(_ count: Int) -> String { String((0..<count).map { _ in random.below(2) == 0 ? "a" : "b" }) }
    for _ in 0..<3000 {
      let text = letters(random.below(12)),
        stops = (0..<random.below(3)).map { _ in letters(random.below(5)) }
      var strings = StopStrings(stops), found: [UInt8] = [], rest = Array(text.utf8)[...]
      while !rest.isEmpty {
        let piece = rest.prefix(1 + random.below(3))
        rest = rest.dropFirst(piece.count)
        found += strings.add(Array(piece))
      }
      found += strings.finish()
      let first = stops.filter { !$0.isEmpty }.compactMap { text.firstRange(of: $0)?.lowerBound }.min()
      #expect(
        String(decoding: found, as: UTF8.self) == String(text[..<(first ?? text.endIndex)]),
        "\(text) \(stops)")
      #expect(strings.isStopped == (first != nil))
    }
  }

  /// What cannot become a stop any more is not held back.
  @Test func whatIsCertainComesAtOnce() {
    var strings = StopStrings(["\n\n", "END"])
    #expect(strings.add(Array("a\nE".utf8)) == Array("a\n".utf8))
    #expect(strings.add(Array("N".utf8)) == [])
    #expect(strings.add(Array("d\n".utf8)) == Array("ENd".utf8))
    #expect(strings.finish() == Array("\n".utf8))
  }
}
