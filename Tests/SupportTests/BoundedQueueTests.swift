import Foundation
import Support
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(60))) struct BoundedQueueTests {
  @Test func elementsLeaveInTheOrderInWhichTheyCame() {
    let queue = BoundedQueue<Int>(capacity: 3)
    Thread.start(named: "producer") { for number in 0..<1000 { queue.append(number) } }
    for number in 0..<1000 { #expect(queue.next() == number) }
  }

  @Test func aFullQueueMakesTheProducerWait() {
    let queue = BoundedQueue<Int>(capacity: 2)
    let added = Atomic<Int>(0)
    Thread.start(named: "producer") {
      for number in 0..<10 {
        queue.append(number)
        added.add(1, ordering: .sequentiallyConsistent)
      }
    }
    let limit = Date(timeIntervalSinceNow: 60)
    while added.load(ordering: .sequentiallyConsistent) < 2 && Date() < limit { usleep(1000) }
    // Time for what must not happen.
    usleep(5000)
    #expect(added.load(ordering: .sequentiallyConsistent) == 2)
    for number in 0..<10 { #expect(queue.next() == number) }
  }

  @Test func closingReleasesThoseWhoWait() {
    let queue = BoundedQueue<Int>(capacity: 1)
    #expect(queue.append(1))
    Thread.start(named: "closer") {
      usleep(10_000)
      queue.close()
    }
    #expect(!queue.append(2))
    #expect(queue.next() == nil)
  }
}
