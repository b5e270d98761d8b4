import Foundation
import Support

/// How a memory's slots are used over a stream of tokens: the softmax weight that each received, over all heads.
package final class MemoryStatistics<Device: Operations> {
  package let slots: Int
  /// Reads behind the statistics, tokens · heads · topk; usage is biased downwards below some 20 reads per slot.
  package private(set) var reads = 0
  private let device: Device
  /// The sum of weights of each slot.
  private let sums: DeviceArray<Double>
  private let arena: Arena

  package init(slots: Int, on device: Device) throws(Failure) {
    (self.slots, self.device) = (slots, device)
    (sums, arena) = try ArenaPlan.build(on: device) { $0.take("mass", Double.self, slots) }
  }

  package func add(_ slots: DeviceArray<Int32>, _ weights: Matrix<Device.Scalar>) {
    device.accumulateMass(slots: slots, weights: weights, into: sums)
    reads += slots.count
  }

  /// The sum of weights of each slot. Waits for the device.
  package var mass: [Double] { device.download(sums) }

  /// Waits for the device.
  package var use: MemoryUse { MemoryUse(mass: mass) }
}

/// How evenly the slots of a memory were read (Lample et al., 2019, section 4.2).
package struct MemoryUse: Sendable, Equatable {
  /// The share of slots with any weight, 0...1.
  package let usage: Double
  /// The divergence of the distribution of weight from uniform, in nats: ln |K| + Σ z ln z, 0...ln |K|.
  package let kl: Double

  /// - Parameter mass: the sum of weights of each slot.
  package init(mass: [Double]) {
    usage = Double(mass.count { $0 != 0 }) / Double(mass.count)
    let total = mass.reduce(0, +)
    guard total > 0 else {
      kl = 0
      return
    }
    kl =
      log(Double(mass.count))
      + mass.reduce(0) { sum, mass in
        let z = mass / total
        return z > 0 ? sum + z * log(z) : sum
      }
  }
}
