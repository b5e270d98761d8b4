/// What the next stage has to find of a sorted run: it refuses another one.
package struct RunRecord: Codable, Sendable, Equatable {
  /// The name in its directory.
  package let name: String
  package let records: Int
  package let checksum: String

  package init(_ run: SortedRun) {
    name = Path.name(of: run.path)
    records = run.recordCount
    checksum = Hashing.hexadecimal(run.checksum)
  }
}
