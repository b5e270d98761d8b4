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

  func add(_ reads: (slots: DeviceArray<Int32>, weights: Matrix<Device.Scalar>)) {
    add(reads.slots, reads.weights)
  }

  /// The sum of weights of each slot. Waits for the device.
  package var mass: [Double] { device.download(sums) }

  /// Waits for the device.
  package var use: MemoryUse { MemoryUse(mass: mass) }
}

/// How evenly the slots of a memory were read: measures of z, the share of each slot in the weight of all reads.
package struct MemoryUse: Sendable, Equatable {
  /// The share of slots with any weight, 0...1 (Lample et al., 2019, section 4.2).
  package let usage: Double
  /// The divergence of z from uniform, in nats: ln |K| + Σ z ln z, 0...ln |K| (the same section).
  package let kl: Double
  /// The number of slots that would have this entropy if they were read evenly: exp(-Σ z ln z), 1...|K|.
  package let effectiveSlots: Double
  /// The Gini coefficient of z over all slots: 0 if all are read evenly, 1 - 1/|K| if one has all the weight.
  package let gini: Double
  /// The least numbers of slots that together have 50, 90 and 99 % of the weight.
  package let slotsOfShare: (half: Int, most: Int, nearlyAll: Int)

  /// - Parameter mass: the sum of weights of each slot, none below 0.
  package init(mass: [Double]) {
    let count = Double(mass.count), total = mass.reduce(0, +)
    usage = Double(mass.count { $0 != 0 }) / count
    guard total > 0 else {
      (kl, effectiveSlots, gini, slotsOfShare) = (0, count, 0, (0, 0, 0))
      return
    }
    let entropy = -mass.reduce(0) { sum, mass in
      let z = mass / total
      return z > 0 ? sum + z * log(z) : sum
    }
    (kl, effectiveSlots) = (log(count) - entropy, exp(entropy))
    let falling = mass.sorted(by: >)
    // With z in falling order, the i-th from 0: 1 - Σ (2i + 1) z / |K|, the area between the Lorenz curve and the diagonal.
    gini = 1 - falling.indices.reduce(0) { $0 + Double(2 * $1 + 1) * falling[$1] } / (total * count)
    func slots(of share: Double) -> Int {
      var sum = 0.0
      return
        (falling.firstIndex {
          sum += $0
          return sum >= share * total
        } ?? falling.count - 1) + 1
    }
    slotsOfShare = (slots(of: 0.5), slots(of: 0.9), slots(of: 0.99))
  }

  package static func == (a: MemoryUse, b: MemoryUse) -> Bool {
    (a.usage, a.kl, a.effectiveSlots, a.gini) == (b.usage, b.kl, b.effectiveSlots, b.gini)
      && a.slotsOfShare == b.slotsOfShare
  }
}
