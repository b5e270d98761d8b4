import Foundation

/// How a memory's slots are used over a stream of tokens: the softmax weight that fell on each, over all heads.
package final class MemoryStatistics {
  package let slots: Int
  /// Sum of weights for each slot.
  package let mass: UnsafeMutableBufferPointer<Double>
  /// Reads behind it, tokens · heads · topk; usage is biased downwards below some 20 reads a slot.
  package private(set) var reads = 0

  package init(slots: Int) {
    self.slots = slots
    mass = .allocate(capacity: slots)
    mass.initialize(repeating: 0)
  }

  deinit { mass.deallocate() }

  package func clear() {
    mass.update(repeating: 0)
    reads = 0
  }

  func add<Device: Operations>(
    _ slots: UnsafeBufferPointer<Int32>, _ weights: Matrix<Device.Scalar>, on device: Device
  ) {
    device.accumulateMass(slots: slots.baseAddress!, weights: weights, into: mass.baseAddress!)
    reads += slots.count
  }

  /// Share of slots with any weight, 0...1 (Lample 2019, section 4.2).
  package var usage: Double { Double(mass.count { $0 != 0 }) / Double(slots) }

  /// Divergence of the distribution of weight from uniform, in nats: ln |K| + Σ z ln z, 0...ln |K|.
  package var kl: Double {
    let total = mass.reduce(0, +)
    guard total > 0 else { return 0 }
    return log(Double(slots))
      + mass.reduce(0) { sum, mass in
        let z = mass / total
        return z > 0 ? sum + z * log(z) : sum
      }
  }
}
