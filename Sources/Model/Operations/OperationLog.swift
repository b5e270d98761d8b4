/// Time and work of the operations of a model, by operation and shape.
package final class OperationLog {
  package struct Entry: Sendable {
    package let name: String
    /// Shapes, in words.
    package let detail: String
    package var calls = 0
    package var seconds = 0.0
    /// Floating-point operations of matmuls, and the least bytes that must move between memory and the cores; zero where
    /// they do not matter.
    package var flops = 0.0
    package var bytes = 0.0
  }

  /// Logging an operation takes a microsecond or two, which matters where operations take ten.
  package var isOn = true
  package private(set) var entries: [Entry] = []
  private var indexOf: [String: Int] = [:]

  package init() {}

  package func clear() {
    entries = []
    indexOf = [:]
  }

  /// The entries of one of `count` repetitions, the largest first.
  package func averages(over count: Int) -> [Entry] {
    entries.map { entry in
      var entry = entry
      entry.seconds /= Double(count)
      entry.flops /= Double(count)
      entry.bytes /= Double(count)
      entry.calls /= count
      return entry
    }.sorted { $0.seconds > $1.seconds }
  }

  package var seconds: Double { entries.reduce(0) { $0 + $1.seconds } }

  func add(_ name: String, _ detail: String, _ seconds: Double, flops: Double, bytes: Double) {
    let key = name + " " + detail
    let index = indexOf[key] ?? entries.count
    if index == entries.count {
      entries.append(Entry(name: name, detail: detail))
      indexOf[key] = index
    }
    entries[index].calls += 1
    entries[index].seconds += seconds
    entries[index].flops += flops
    entries[index].bytes += bytes
  }
}
