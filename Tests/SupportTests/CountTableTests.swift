import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct CountTableTests {
  private func contents(_ table: borrowing CountTable) -> [[UInt8]: Int] {
    var counts: [[UInt8]: Int] = [:]
    table.forEachKey { counts[Array($0), default: 0] += $1 }
    return counts
  }

  @Test func countsAsADictionaryDoes() {
    var random = RandomGenerator(seed: 1)
    var table = CountTable()
    var expected: [[UInt8]: Int] = [:]
    for _ in 0..<200_000 {
      // Lengths around the limit of short keys; bytes of which many are 0, like the padding.
      let key = (0...random.below(18)).map { _ in UInt8(random.below(3)) }
      table.add(key)
      expected[key, default: 0] += 1
    }
    #expect(table.distinct == expected.count && contents(table) == expected)
  }

  @Test func keysInsideABufferAreRead() {
    // The same key with and without room to read beyond it.
    let text = Array("abcabcdefghijklmnopqrstuvwxyzabc".utf8)
    var table = CountTable()
    text.withUnsafeBufferPointer { text in
      for start in text.indices {
        for length in 1...min(20, text.count - start) {
          table.add(text.baseAddress! + start, length: length, readable: text.count - start)
        }
      }
    }
    let counts = contents(table)
    #expect(
      counts[Array("abc".utf8)] == 3 && counts[Array("bc".utf8)] == 3 && counts[Array("yzabc".utf8)] == 1)
    #expect(counts[Array("abcdefghijklmno".utf8)] == 1 && counts[Array("abcdefghijklmnop".utf8)] == 1)
  }

  @Test func manyAtOnceAndInOrder() {
    var random = RandomGenerator(seed: 2)
    let text = (0..<50_000).map { _ in UInt8(random.below(4)) }
    var table = CountTable()
    var expected: [[UInt8]: Int] = [:]
    text.withUnsafeBufferPointer { text in
      for _ in 0..<1000 {
        let spans = (0..<100).map { _ in
          let start = random.below(text.count)
          return CountTable.Span(start: start, end: min(text.count, start + 1 + random.below(20)))
        }
        for span in spans { expected[Array(text[span.start..<span.end]), default: 0] += 1 }
        spans.withUnsafeBufferPointer { table.add($0, of: text) }
      }
    }
    #expect(contents(table) == expected && expected.count > 1 << 16)
    for pool in [nil, WorkerPool(threads: 3)] {
      var keys: [[UInt8]] = []
      var counts: [Int] = []
      table.drainSorted(on: pool) {
        keys.append(Array($0))
        counts.append($1)
      }
      #expect(keys == expected.keys.sorted { $0.lexicographicallyPrecedes($1) })
      #expect(counts == keys.map { expected[$0]! })
      // It is empty, and counts on.
      #expect(table.distinct == 0)
      for (key, count) in expected { table.add(key, count: count) }
    }
  }

  /// Keys in the order of their hashes, as one table gives them to another that is smaller.
  @Test func mergingIntoASmallTable() {
    var large = CountTable()
    var expected: [[UInt8]: Int] = [:]
    for number in 0..<200_000 {
      let key = Array("\(number)".utf8)
      large.add(key, count: number + 1)
      expected[key] = number + 1
    }
    var small = CountTable()
    small.merge(large)
    #expect(contents(small) == expected)
  }

  @Test func mergingAddsLargeCounts() {
    var a = CountTable()
    var b = CountTable()
    for (key, count) in [("x", 1 << 40), ("a key of more than fifteen bytes", 3)] {
      a.add(Array(key.utf8), count: count)
      b.add(Array(key.utf8), count: count + 1)
    }
    b.add([0])
    a.merge(b)
    #expect(
      contents(a) == [
        Array("x".utf8): (1 << 41) + 1, Array("a key of more than fifteen bytes".utf8): 7, [0]: 1,
      ])
  }
}
