/// What every stage is given: its threads, its seed and whether it reports progress.
package struct StageSettings: Sendable {
  package var threads: Int
  /// nil where the user gave no seed.
  package var givenSeed: UInt64?
  package var isQuiet: Bool

  package var seed: UInt64 { givenSeed ?? 1 }

  package init(threads: Int, givenSeed: UInt64? = nil, isQuiet: Bool = false) {
    (self.threads, self.givenSeed, self.isQuiet) = (threads, givenSeed, isQuiet)
  }
}
