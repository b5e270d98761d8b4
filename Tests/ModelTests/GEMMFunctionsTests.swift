import CModelKernels
import COneDNN
import Testing

@testable import Model

/// The choice of matmul kernels by processor; what the processor has is made up, so every machine tests every choice.
@Suite(.timeLimit(.minutes(60))) struct GEMMFunctionsTests {
  private static let zen = Processor(
    bestInstructions: PKM_INSTRUCTION_SET_V4_BF16, amx: PKM_AMX_MISSING, hasSlowBF16Dots: false)
  private static let sapphireRapids = Processor(
    bestInstructions: PKM_INSTRUCTION_SET_AMX, amx: PKM_AMX_USABLE, hasSlowBF16Dots: true)
  /// The same in a container whose kernel keeps the unit from it.
  private static let confined = Processor(
    bestInstructions: PKM_INSTRUCTION_SET_V4_BF16, amx: PKM_AMX_REFUSED, hasSlowBF16Dots: true)
  private static let cooperLake = Processor(
    bestInstructions: PKM_INSTRUCTION_SET_V4_BF16, amx: PKM_AMX_MISSING, hasSlowBF16Dots: true)
  private static let hasOneDNN = pkm_onednn_load() == nil && pkm_onednn_has_bf16()
  /// Machines without AVX-512 have no GEMM that packs, whatever the made-up processor says.
  private static let packs = pkm_best_instruction_set().rawValue >= PKM_INSTRUCTION_SET_V4.rawValue

  @Test(.enabled(if: packs && hasOneDNN))
  func aProcessorWithAMXGivesBF16ToOneDNNAndFP32ToOurOwnGEMM() throws {
    let bf16 = try GEMMFunctions<Float>(EngineSettings(precision: .bf16), processor: Self.sapphireRapids)
    #expect(!bf16.packsBF16 && bf16.isBF16Native && !bf16.roundsRightOperands)
    #expect(bf16.description.hasPrefix("oneDNN") && bf16.description.hasSuffix("bfloat16 on AMX"))
    let fp32 = try GEMMFunctions<Float>(EngineSettings(precision: .fp32), processor: Self.sapphireRapids)
    #expect(fp32.packs && fp32.description.hasPrefix("our own for AVX-512"))
  }

  @Test(.enabled(if: packs))
  func aProcessorWithoutAMXMultipliesBF16WithOurOwnGEMM() throws {
    let gemms = try GEMMFunctions<Float>(EngineSettings(precision: .bf16), processor: Self.zen)
    #expect(gemms.packsBF16 && gemms.description.hasPrefix("our own for AVX-512"))
    #expect(!gemms.description.contains("fp32"))
  }

  /// Without oneDNN, or where the user names them, our own kernels use the unit.
  @Test(.enabled(if: packs), arguments: [EngineSettings.Library?.none, .generic])
  func ourOwnTilesUseAMX(library: EngineSettings.Library?) throws {
    let settings = EngineSettings(precision: .bf16, library: library, instructions: .amx)
    let gemms = try GEMMFunctions<Float>(settings, processor: Self.sapphireRapids)
    #expect(gemms.packsBF16 && gemms.hasTiles && gemms.description.hasSuffix("bfloat16 on AMX"))
    let others = try GEMMFunctions<Float>(settings, processor: Self.zen)
    #expect(others.packsBF16 && !others.hasTiles && !others.description.contains("AMX"))
  }

  @Test(.enabled(if: packs))
  func theStartSaysWhereBF16IsSlowerThanFP32() throws {
    let generic = EngineSettings(precision: .bf16, library: .generic)
    let older = EngineSettings(precision: .bf16, library: .generic, instructions: .avx512bf16)
    let idle = try GEMMFunctions<Float>(older, processor: Self.sapphireRapids).description
    #expect(idle.contains("slower than fp32") && idle.contains("--kernels auto"))
    let slow = try GEMMFunctions<Float>(generic, processor: Self.cooperLake).description
    #expect(slow.contains("slower than fp32") && !slow.contains("AMX"))
    let refused = try GEMMFunctions<Float>(generic, processor: Self.confined).description
    #expect(refused.contains("slower than fp32") && refused.contains("does not let this process use"))
    for processor in [Self.zen, Self.sapphireRapids] {
      #expect(try !GEMMFunctions<Float>(generic, processor: processor).description.contains("slower"))
    }
  }

  /// A processor without dot products of bfloat16, or kernels that may not use them.
  @Test(arguments: [EngineSettings.Instructions.plain, .avx2, .avx512])
  func otherInstructionsDoNotPackBF16(instructions: EngineSettings.Instructions) throws {
    let settings = EngineSettings(precision: .bf16, instructions: instructions)
    for processor in [Self.zen, Self.sapphireRapids] {
      #expect(try !GEMMFunctions<Float>(settings, processor: processor).packsBF16)
    }
  }
}
