import CModelKernels

/// What the choice among matmul kernels needs to know of the processor.
struct Processor: Sendable {
  var bestInstructions: pkm_instruction_set
  /// AMX, a matrix unit for bfloat16: whether it has one that this process may use.
  var amx: pkm_amx_state
  /// Whether its vector dot products of bfloat16 are slower than float32 multiply-adds.
  var hasSlowBF16Dots: Bool

  var hasAMX: Bool { amx == PKM_AMX_USABLE }

  /// The instructions that kernels use if they may use `wanted`, or any if that is nil.
  func instructions(_ wanted: EngineSettings.Instructions?) -> pkm_instruction_set {
    guard let wanted = wanted?.cSet else { return bestInstructions }
    let isEmulated = wanted.rawValue > PKM_INSTRUCTION_SET_AMX.rawValue
    return isEmulated || wanted.rawValue < bestInstructions.rawValue ? wanted : bestInstructions
  }

  static let current = Processor(
    bestInstructions: pkm_best_instruction_set(), amx: pkm_amx_bf16(),
    hasSlowBF16Dots: pkm_has_slow_bf16_dots())
}
