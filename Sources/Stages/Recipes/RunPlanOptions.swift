/// What a run gives all of its stages.
package struct RunPlanOptions {
  let threads: Int?
  /// What stages get whose seed decides their output.
  let givenSeed: UInt64?
  /// What stages with an option `memory` get.
  let memory: String?
  let isQuiet: Bool
  /// Whether the output of every step is kept as a file.
  let keepsAll: Bool

  package init(threads: Int?, givenSeed: UInt64?, memory: String?, isQuiet: Bool, keepsAll: Bool) {
    (self.threads, self.givenSeed, self.memory) = (threads, givenSeed, memory)
    (self.isQuiet, self.keepsAll) = (isQuiet, keepsAll)
  }
}
