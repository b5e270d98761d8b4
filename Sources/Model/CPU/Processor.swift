import CModelKernels

/// What the choice among matmul kernels needs to know of the processor.
struct Processor: Sendable {
  var bestInstructions: pkm_instruction_set
  /// Whether it has AMX, a matrix unit for bfloat16, which oneDNN uses and our own kernels do not.
  var hasAMX: Bool
  /// Whether its vector dot products of bfloat16 are slower than float32 multiply-adds.
  var hasSlowBF16Dots: Bool

  static let current = Processor(
    bestInstructions: pkm_best_instruction_set(), hasAMX: pkm_has_amx_bf16(),
    hasSlowBF16Dots: pkm_has_slow_bf16_dots())
}
