import Support
import Testing
import Training

@Suite struct SamplingTests {
  private let logits: [Float] = [0, 2, 1, 2, -3]

  private func frequencies(_ sampling: Sampling, draws: Int = 40_000) -> [Double] {
    var random = RandomGenerator(seed: 7)
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[Int(sampling.draw(from: logits, using: &random))] += 1 / Double(draws) }
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

  @Test func topKAndTopPCutTheTail() {
    let two = frequencies(Sampling(temperature: 1, topK: 2))
    #expect(two[0] + two[2] + two[4] == 0 && two[1] > 0 && two[3] > 0)
    let nucleus = frequencies(Sampling(temperature: 1, topP: 0.9))
    #expect(nucleus[0] == 0 && nucleus[4] == 0 && nucleus[2] > 0)
  }
}
