import CModelKernels
import Foundation
import Support
import TestSupport
import Testing

@testable import Model

/// The choice of slots against brute force over all n² sums.
@Suite(.timeLimit(.minutes(60))) struct ProductKeySelectionTests {
  struct Choice: Equatable {
    var slots: [Int32]
    var scores: [Float]
    var weights: [Float]
  }

  static func choose(
    _ first: [Float], _ second: [Float], _ k: Int, instructions: pkm_instruction_set = PKM_INSTRUCTION_SET_V4
  ) -> Choice {
    let n = first.count
    var choice = Choice(
      slots: .init(repeating: -1, count: k), scores: .init(repeating: 0, count: k),
      weights: .init(repeating: 0, count: k))
    let kernels = Float.kernels(instructions)
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: kernels.product_key_top_k_scratch(n, k), alignment: 64)
    defer { scratch.deallocate() }
    kernels.product_key_top_k(
      1, n, k, first, second, n, &choice.slots, &choice.weights, &choice.scores, k, scratch)
    return choice
  }

  /// Higher sum first, then lower slot; NaN as -infinity.
  static func bruteForce(_ first: [Float], _ second: [Float], _ k: Int) -> (slots: [Int32], scores: [Float]) {
    let n = first.count
    func known(_ x: Float) -> Float { x.isNaN ? -.infinity : x }
    let sums = (0..<n * n).map { known(first[$0 / n]) + known(second[$0 % n]) }
    let order = (0..<n * n).sorted { (sums[$0], $1) > (sums[$1], $0) }.prefix(k)
    return (order.map(Int32.init), order.map { sums[$0] })
  }

  @Test func referenceVector() {
    let choice = Self.choose([3, 1, 2], [0.5, 2.5, 1], 2)
    #expect(choice.slots == [1, 7])
    #expect(choice.scores == [5.5, 4.5])
    #expect(abs(choice.weights[0] - 0.7310585786) < 1e-7 && abs(choice.weights[1] - 0.2689414214) < 1e-7)
  }

  /// Scores that are random floats: the lists of sums are equal bit for bit, and each slot has the sum it claims.
  @Test func scoresEqualBruteForceBitForBit() {
    var random = RandomGenerator(seed: 5)
    for n in [1, 2, 3, 7, 16, 33, 64, 130] {
      for k in Set([1, 2, 3, n / 3, n / 2, n - 1, n]).filter({ $0 >= 1 && $0 <= n }) {
        for _ in 0..<6 {
          let first = (0..<n).map { _ in Float(random.normal()) },
            second = (0..<n).map { _ in Float(random.normal()) }
          let choice = Self.choose(first, second, k), expected = Self.bruteForce(first, second, k)
          #expect(choice.scores.map(\.bitPattern) == expected.scores.map(\.bitPattern), "n \(n), k \(k)")
          #expect(Set(choice.slots).count == k)
          for (slot, score) in zip(choice.slots, choice.scores) {
            #expect(first[Int(slot) / n] + second[Int(slot) % n] == score)
          }
          #expect(abs(choice.weights.reduce(0, +) - 1) < 1e-5)
        }
      }
    }
  }

  /// Small integers: sums are exact and ties everywhere, so the slots are decided by the rule alone.
  @Test(arguments: [1, 2, 3, 9])
  func tiesGoToTheLowerSlot(range: Int) {
    var random = RandomGenerator(seed: UInt64(range))
    for n in [1, 2, 5, 16, 40, 100] {
      for k in Set([1, 2, 4, n / 2, n]).filter({ $0 >= 1 && $0 <= n }) {
        for _ in 0..<5 {
          let first = (0..<n).map { _ in Float(random.below(range)) }
          let second = (0..<n).map { _ in Float(random.below(range)) - 4 }
          let choice = Self.choose(first, second, k), expected = Self.bruteForce(first, second, k)
          #expect(choice.slots == expected.slots, "n \(n), k \(k)")
          #expect(choice.scores == expected.scores)
        }
      }
    }
  }

  /// Every instruction set chooses the same slots from the same sums.
  @Test func instructionSetsAgree() {
    var random = RandomGenerator(seed: 11)
    for (n, k) in [(1, 1), (7, 3), (40, 12), (130, 32)] {
      let first = (0..<n).map { _ in Float(random.below(5)) },
        second = (0..<n).map { _ in Float(random.normal()) }
      let best = Self.choose(first, second, k)
      for instructions in [PKM_INSTRUCTION_SET_PLAIN, PKM_INSTRUCTION_SET_V3, PKM_INSTRUCTION_SET_V4] {
        let other = Self.choose(first, second, k, instructions: instructions)
        #expect(other.slots == best.slots && other.scores == best.scores)
        #expect(zip(other.weights, best.weights).allSatisfy { abs($0 - $1) < 1e-6 })
      }
    }
  }

  /// NaN ranks as -infinity; infinities keep their rank; every slot is in range whatever the scores.
  @Test func scoresThatAreNotNumbers() {
    let first: [Float] = [.nan, 2, -.infinity, 1, .nan, 0], second: [Float] = [1, .nan, 0, 3, 2, -1]
    let choice = Self.choose(first, second, 4)
    #expect(choice.slots == Self.bruteForce(first, second, 4).slots)
    #expect(choice.scores == [5, 4, 4, 3])
    let allBad = Self.choose(.init(repeating: .nan, count: 6), second, 3)
    #expect(allBad.slots.allSatisfy { (0..<36).contains($0) })
    #expect(allBad.weights.allSatisfy { $0.isNaN })
    let high = Self.choose([0, .infinity, 1, 1, 1, 1], second, 2)
    #expect(high.scores == [.infinity, .infinity])
    #expect(high.slots[0] / 6 == 1 && high.slots[1] / 6 == 1)
    let huge = Self.choose(
      [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0, 1, 2, 3], .init(repeating: 0, count: 6), 3)
    #expect(huge.slots == [0, 1, 2])
  }

  /// A constant added to one half changes neither slots nor weights, where the sums stay exact.
  @Test func shiftInvariance() {
    var random = RandomGenerator(seed: 8)
    let first = (0..<32).map { _ in Float(random.below(1000)) },
      second = (0..<32).map { _ in Float(random.below(1000)) }
    let shifted = Self.choose(first.map { $0 + 64 }, second, 9), plain = Self.choose(first, second, 9)
    #expect(shifted.slots == plain.slots && shifted.weights == plain.weights)
  }

  enum Numbers: CaseIterable {
    case normal, integers, equalKeys, almostEqual, tiny, subnormal, huge, zeros, notNumbers
    case unlikeNorms, oneFarAhead, oneDimension
  }

  /// Estimates decide which scores are computed, never what comes out: slots and weights are those of all scores, to the bit.
  @Test(.long, arguments: Numbers.allCases)
  func searchEqualsAllScoresBitForBit(numbers: Numbers) throws {
    let kernels = Float.kernels(PKM_INSTRUCTION_SET_V4_BF16)
    guard kernels.search_product_keys != nil else { return }  // no dot products of bytes here
    let rows = 53
    let shapes = [
      (1, 1, 16), (7, 3, 48), (64, 32, 16), (100, 64, 80), (300, 32, 272), (512, 8, 32), (1024, 32, 256),
    ]
    for (n, k, half) in shapes {
      let (queries, keys) = Self.make(numbers, rows: rows, n: n, half: half)
      let found = Self.search(kernels, queries, keys, rows: rows, n: n, k: k, half: half)
      let expected = Self.chooseFromAll(queries, keys, rows: rows, n: n, k: k, half: half)
      let isEqual =
        found.slots == expected.slots && found.weights.map(\.bitPattern) == expected.weights.map(\.bitPattern)
      #expect(isEqual, "n \(n), k \(k), \(half) wide")
    }
  }

  private static func make(_ numbers: Numbers, rows: Int, n: Int, half: Int) -> ([Float], [Float]) {
    var random = RandomGenerator(seed: UInt64(n + half))
    var queries = (0..<rows * 2 * half).map { _ in Float(random.normal()) }
    var keys = (0..<2 * n * half).map { _ in Float(random.normal()) }
    switch numbers {
    case .normal: break
    case .integers:
      queries = queries.map { $0.rounded() }
      keys = keys.map { $0.rounded() }
    case .equalKeys: for i in keys.indices { keys[i] = keys[i % (2 * half)] }
    case .almostEqual:
      for i in keys.indices { keys[i] = keys[i % (2 * half)] }
      for key in 0..<2 * n {
        let i = key * half + random.below(half)
        keys[i] = random.below(2) == 0 ? keys[i].nextUp : keys[i].nextDown
      }
    case .tiny:
      queries = queries.map { $0 * 1e-21 }
      keys = keys.map { $0 * 1e-20 }
    case .subnormal: queries = queries.map { $0 * 1e-20 * 1e-19 }
    case .huge:
      queries = queries.map { $0 * 1e22 }
      keys = keys.map { $0 * 1e19 }
    case .unlikeNorms:
      for i in keys.indices { keys[i] *= Float(1 + i / half % 13 * (i / half % 7)) }
    case .oneFarAhead:  // of each list
      for i in 0..<half {
        (keys[n / 2 * half + i], keys[n * half + i]) = (50 * queries[i], 20 * queries[half + i])
      }
    case .oneDimension:  // to which all others are nothing in 8 bits
      for i in stride(from: 3, to: queries.count, by: half) { queries[i] *= 1e5 }
      for i in stride(from: 3, to: keys.count, by: half) { keys[i] = 1 + keys[i] * 1e-5 }
    case .zeros:
      for i in 0..<20 * 2 * half { queries[i] = 0 }
      for i in 0..<n / 2 * half { keys[i] = 0 }
    case .notNumbers:
      (queries[half + 1], keys[3], keys[n * half + 5]) = (.nan, .infinity, .nan)
      queries[14 * half] = -.infinity
    }
    return (queries, keys)
  }

  private static func search(
    _ kernels: pkm_kernel_table, _ queries: [Float], _ keys: [Float], rows: Int, n: Int, k: Int, half: Int
  ) -> Choice {
    var choice = Choice(
      slots: .init(repeating: -1, count: rows * k), scores: [], weights: .init(repeating: 0, count: rows * k))
    let listBytes = kernels.packed_subkeys_size(n, half)
    let packed = UnsafeMutableRawPointer.allocate(byteCount: 2 * listBytes, alignment: 64)
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: kernels.search_product_keys_scratch(n, k, half), alignment: 64)
    defer {
      packed.deallocate()
      scratch.deallocate()
    }
    keys.withUnsafeBufferPointer { keys in
      for list in 0..<2 {
        kernels.pack_subkeys(n, half, keys.baseAddress! + list * n * half, packed + list * listBytes)
      }
      kernels.search_product_keys(
        rows, n, k, half, queries, 2 * half, keys.baseAddress!, packed, &choice.slots, &choice.weights, k,
        scratch)
    }
    return choice
  }

  /// Summed in the order of the search: sixteen sums, which are then folded.
  private static func score(_ query: ArraySlice<Float>, _ key: ArraySlice<Float>) -> Float {
    var sums = SIMD16<Float>.zero
    for e in stride(from: 0, to: query.count, by: 16) {
      sums.addProduct(
        SIMD16(query[(query.startIndex + e)..<(query.startIndex + e + 16)]),
        SIMD16(key[(key.startIndex + e)..<(key.startIndex + e + 16)]))
    }
    let eight = sums.lowHalf + sums.highHalf, four = eight.lowHalf + eight.highHalf
    return (four[0] + four[2]) + (four[1] + four[3])
  }

  private static func chooseFromAll(
    _ queries: [Float], _ keys: [Float], rows: Int, n: Int, k: Int, half: Int
  ) -> Choice {
    var all = Choice(slots: [], scores: [], weights: [])
    for row in 0..<rows {
      let scores = (0..<2).map { side in
        let query = queries[(row * 2 + side) * half..<(row * 2 + side + 1) * half]
        return (0..<n).map { score(query, keys[(side * n + $0) * half..<(side * n + $0 + 1) * half]) }
      }
      let choice = choose(scores[0], scores[1], k, instructions: PKM_INSTRUCTION_SET_V4_BF16)
      all.slots += choice.slots
      all.weights += choice.weights
    }
    return all
  }
}
