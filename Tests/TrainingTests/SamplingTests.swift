import Foundation
import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct SamplingTests {
  private let logits: [Float] = [0, 2, 1, 2, -3]

  private func frequencies(_ sampling: Sampling, draws: Int = 40_000) -> [Double] {
    var random = RandomGenerator(seed: 7)
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<draws {
      let token = logits.withUnsafeBufferPointer { sampling.draw(from: $0, using: &random) }
      counts[Int(token)] += 1 / Double(draws)
    }
    return counts
  }

  @Test func zeroTemperatureTakesTheFirstOfTheBest() {
    #expect(frequencies(Sampling(temperature: 0), draws: 8) == [0, 1, 0, 0, 0])
  }

  @Test func frequenciesFollowTheSoftmax() {
    let weights = [1, 7.389056, 2.718282, 7.389056, 0.049787]
    let total = weights.reduce(0, +)
    for (frequency, weight) in zip(frequencies(Sampling(temperature: 1)), weights) {
      // Five standard deviations at most.
      #expect(abs(frequency - weight / total) < 0.0125)
    }
  }

  /// Against a whole sort, with many ties.
  @Test func topKAndTopPAreExact() {
    var random = RandomGenerator(seed: 3)
    let logits = (0..<2000).map { _ in Float(random.below(60)) / 10 }
    let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    for k in [1, 2, 17, 400, 1999, 5000] {
      let allowed = Set(order.prefix(k))
      let sampling = Sampling(temperature: 5, topK: k)
      for _ in 0..<300 {
        let token = logits.withUnsafeBufferPointer { sampling.draw(from: $0, using: &random) }
        #expect(allowed.contains(Int(token)))
      }
    }
    let weights = order.map { Double(logits[$0]) }.map { Foundation.exp($0) }
    let half = weights.reduce(0, +) / 2
    var kept = 0.0
    var nucleus: Set<Int> = []
    for (id, weight) in zip(order, weights) where kept < half {
      nucleus.insert(id)
      kept += weight
    }
    for _ in 0..<1000 {
      let token = logits.withUnsafeBufferPointer {
        Sampling(temperature: 1, topP: 0.5).draw(from: $0, using: &random)
      }
      #expect(nucleus.contains(Int(token)))
    }
  }

  /// The nucleus of the k best, beside the same by sorting.
  @Test func topPOfTopKIsExact() {
    var random = RandomGenerator(seed: 5)
    let logits = (0..<3000).map { _ in Float(random.normal()) * 2 }
    let best = logits.indices.sorted { logits[$0] > logits[$1] }.prefix(40)
    let weights = best.map { Foundation.exp(Double(logits[$0])) }
    var kept = 0.0, nucleus: [Int: Double] = [:]
    for (id, weight) in zip(best, weights) where kept < 0.8 * weights.reduce(0, +) {
      nucleus[id] = weight
      kept += weight
    }
    var counts: [Int: Double] = [:]
    for _ in 0..<20_000 {
      let token = logits.withUnsafeBufferPointer {
        Sampling(temperature: 1, topK: 40, topP: 0.8).draw(from: $0, using: &random)
      }
      counts[Int(token), default: 0] += 1 / 20_000
    }
    #expect(Set(counts.keys) == Set(nucleus.keys))
    for (id, weight) in nucleus { #expect(abs(counts[id, default: 0] - weight / kept) < 0.018) }
  }

  @Test func topKAndTopPCutTheTail() {
    let two = frequencies(Sampling(temperature: 1, topK: 2))
    #expect(two[0] + two[2] + two[4] == 0 && two[1] > 0 && two[3] > 0)
    let nucleus = frequencies(Sampling(temperature: 1, topP: 0.9))
    #expect(nucleus[0] == 0 && nucleus[4] == 0 && nucleus[2] > 0)
  }

  /// Of equally probable tokens the first are kept, as many as it takes.
  @Test(arguments: [(0.2, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.6, 3), (0.76, 4), (0.999, 4)])
  func topPOfTiesKeepsTheFewest(topP: Double, kept: Int) {
    let logits: [Float] = [1, 1, -90, 1, 1]
    for topK in [nil, 5] {
      var random = RandomGenerator(seed: 2), drawn: Set<Int32> = []
      for _ in 0..<200 {
        logits.withUnsafeBufferPointer {
          _ = drawn.insert(Sampling(temperature: 1, topK: topK, topP: topP).draw(from: $0, using: &random))
        }
      }
      #expect(drawn == Set([0, 1, 3, 4].prefix(kept)))
    }
  }
}
