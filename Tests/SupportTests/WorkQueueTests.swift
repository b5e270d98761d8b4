import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct WorkQueueTests {
  @Test(arguments: [1, 3]) func resultsCanBeTakenInAnyOrder(threads: Int) throws {
    let queue = WorkQueue<Int, Int>(threads: threads) { $0 * $0 }
    let pending = (0..<100).map { queue.submit($0) }
    for number in (0..<100).reversed() { #expect(try pending[number].get() == number * number) }
  }

  @Test(arguments: [1, 3]) func anErrorBelongsToItsItem(threads: Int) throws {
    let queue = WorkQueue<Int, Int>(threads: threads) { number in
      if number == 1 { throw Failure(.failed, "one") }
      return number
    }
    let pending = (0..<3).map { queue.submit($0) }
    #expect(try pending[2].get() == 2)
    #expect(throws: Failure(.failed, "one")) { try pending[1].get() }
  }
}
