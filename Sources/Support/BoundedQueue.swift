import DequeModule

/// A first-in, first-out queue between threads.
///
/// Whoever adds to a full queue or takes from an empty one waits.
package final class BoundedQueue<Element: Sendable>: Sendable {
  private struct State: Sendable {
    var elements: Deque<Element> = []
    var isClosed = false
  }

  private let capacity: Int
  private let state = Monitor(State())

  package init(capacity: Int = .max) { self.capacity = capacity }

  /// Waits for free capacity; returns false, and drops the element, if the queue is closed.
  @discardableResult
  package func append(_ element: Element) -> Bool {
    state.wait { state in
      if state.isClosed { return false }
      if state.elements.count >= capacity { return nil }
      state.elements.append(element)
      return true
    }
  }

  /// Waits for an element; returns nil if the queue is closed.
  package func next() -> Element? {
    state.wait { state -> Element?? in
      if state.isClosed { return .some(nil) }
      return state.elements.popFirst().map { .some($0) }
    }
  }

  /// Drops all elements and releases all threads that wait.
  package func close() {
    state.update { state in
      state.isClosed = true
      state.elements = []
    }
  }
}
