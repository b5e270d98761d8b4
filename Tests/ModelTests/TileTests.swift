import CModelKernels
import Support
import Testing

@testable import Model

/// The arithmetic of tiles: that of TDPBF16PS in Intel's manual, by instructions and emulated.
@Suite(.timeLimit(.minutes(60))) struct TileTests {
  private static let emulated = [PKM_INSTRUCTION_SET_TILES_PLAIN, PKM_INSTRUCTION_SET_TILES_V4_BF16]
  private static let hasAMX = pkm_amx_bf16() == PKM_AMX_USABLE
  private static let sets = emulated + (hasAMX ? [PKM_INSTRUCTION_SET_AMX] : [])

  /// A bfloat16 of a number that is one.
  private func half(_ x: Float) -> UInt16 { UInt16(x.bitPattern >> 16) }

  /// The dot product of two vectors by the GEMM of many rows.
  private func dot(_ a: [UInt16], _ b: [UInt16], _ set: pkm_instruction_set) -> Float {
    let kernels = Float.kernels(set), k = a.count
    var packed = [UInt32](repeating: 0, count: k / 2 * Int(PKM_PANEL_COLUMNS)),
      c = [Float](repeating: 7, count: 1)
    kernels.pack_panels_nt(0, 1, 1, k, b, k, &packed, false, true)
    kernels.gemm_panels(1, 1, k, 1, a, k, packed, &c, 1, pkm_output_tile(), true)
    return c[0]
  }

  @Test(arguments: sets.map(\.rawValue)) func tilesSumAsDocumented(set: UInt32) {
    let set = pkm_instruction_set(rawValue: set)
    func dot(_ a: [Float], _ b: [Float]) -> Float { self.dot(a.map(half), b.map(half), set) }
    #expect(dot([1, 2, 3, 4], [5, 6, 7, 8]) == 70)
    // The first numbers of the pairs are summed apart from the second ones: 2^24 + 1 rounds to 2^24.
    #expect(dot([0x1p24, -0x1p24, 1, 0], [1, 1, 1, 1]) == 0)
    // Ties go to even: 2^24 + 3 is halfway between 2^24 + 2 and 2^24 + 4.
    #expect(dot([0x1p24, 0, 3, 0], [1, 1, 1, 1]) == 0x1p24 + 4)
    // Each product is rounded only together with its sum: 1.5 * 2^-127 alone would be subnormal.
    #expect(dot([0x1p-126, 0, 0x1p-100, 0], [1, 1, 0x1.8p-27, 1]) == 0x1.cp-126)
    // Subnormal results and operands are 0, of the same sign.
    #expect(dot([0x1p-70, 0], [0x1p-70, 0]).bitPattern == 0)
    #expect(self.dot([1, 0], [half(0x1p100), 0], set) == 0)
    #expect(self.dot([half(0x1p-120), 0], [half(0x1p-5), 0], set) == 0x1p-125)
    #expect(dot([.infinity, 0], [-2, 0]) == -.infinity && dot([.infinity, 0], [0, 0]).isNaN)
    #expect(dot([.nan, 0], [1, 0]).isNaN)
    // Sums of 32 numbers of k are added to those before: 2^24 + (1 + 1) and not 2^24 + 1 + 1.
    var a = [Float](repeating: 0, count: 64)
    (a[0], a[32], a[34]) = (0x1p24, 1, 1)
    #expect(dot(a, [Float](repeating: 1, count: 64)) == 0x1p24 + 2)
  }

  /// All kernels that use tiles, in shapes with and without edges: the same bits, whatever the processor.
  @Test(arguments: [(32, 64, 64), (130, 70, 66), (37, 131, 1602), (16, 33, 2), (95, 65, 830)])
  func tilesAreTheSameEverywhere(m: Int, n: Int, k: Int) {
    let a = numbers(m * k, 1), b = numbers(n * k, 2)
    func products(_ set: pkm_instruction_set) -> [UInt32] {
      let kernels = Float.kernels(set), groups = k / 2, width = Int(PKM_PANEL_COLUMNS)
      let panels = (n + width - 1) / width
      var packed = [UInt32](repeating: 0, count: panels * groups * width),
        c = [Float](repeating: 7, count: m * n)
      kernels.pack_panels_nt(0, panels, n, k, b, k, &packed, false, true)
      kernels.gemm_panels(m, n, k, 0.5, a, k, packed, &c, n, pkm_output_tile(), true)
      var all = c
      kernels.pack_panels_nn(0, groups, n, k, b, n, &packed, false, true)
      let columns = min(m, Int(PKM_GEMM_TN_COLUMNS))
      var buffer = [Float](repeating: .nan, count: Int(PKM_GEMM_TN_BUFFER_GROUPS)),
        sums = [Float](repeating: 1, count: m)
      kernels.gemm_tn(columns, n, k, 1, a, m, packed, true, &c, n, &sums, &buffer, true)
      all += c + sums
      let few = min(m, 32), odd = k - 1
      var lanes = [UInt32](repeating: 0, count: 32 * groups), d = [Float](repeating: 7, count: few * n)
      kernels.pack_skinny(few, odd, 0, groups, a, k, &lanes, true)
      kernels.gemm_skinny(few, n, odd, lanes, b, k, true, &d, n, pkm_output_tile(), true)
      return (all + d).map(\.bitPattern)
    }
    let expected = products(PKM_INSTRUCTION_SET_TILES_PLAIN)
    for set in Self.sets { #expect(products(set) == expected, "\(set)") }
  }

  private func numbers(_ count: Int, _ seed: UInt64) -> [UInt16] {
    var random = RandomGenerator(seed: seed)
    return (0..<count).map { _ in half(Float(random.normal())) }
  }
}
