/// What a run gives all of its stages.
package struct RunPlanOptions {
  let threads: Int?
  let seed: UInt64
  /// What stages with an option `memory` get.
  let memory: String?
  let isQuiet: Bool
  /// Whether the output of every step is kept as a file.
  let keepsAll: Bool

  package init(threads: Int?, seed: UInt64, memory: String?, isQuiet: Bool, keepsAll: Bool) {
    (self.threads, self.seed, self.memory) = (threads, seed, memory)
    (self.isQuiet, self.keepsAll) = (isQuiet, keepsAll)
  }
}
