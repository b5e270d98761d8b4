import Foundation
import Support

/// The finished signatures of a set of documents.
package final class SignatureSet: Sendable {
  package let directory: String
  package let manifest: SignatureManifest
  /// Sorted runs of ``keyFormat``.
  let runs: [SortedRun]
  /// The number of documents in each block of the input.
  package let blocks: [Int]
  private let tables: [SignatureTable]

  /// The key of a band, and a document number of four bytes.
  static let keyFormat = RecordFormat(words: 2, lastBytes: 4)

  static func manifestPath(_ directory: String) -> String { Path.join(directory, "signatures.json") }

  /// Whether the stage was completed in this directory.
  package static func exists(_ directory: String) -> Bool { Path.exists(manifestPath(directory)) }

  package init(_ directory: String) throws {
    self.directory = directory
    manifest = try JSONFile.read(SignatureManifest.self, from: Self.manifestPath(directory))
    var runs: [SortedRun] = []
    var tables: [SignatureTable] = []
    var blocks: [Int] = []
    let rowBytes = MinHasher.RowFormat(manifest.options).bytes
    var documents = 0
    while case let path = RecordSorter.path(runs.count, name: "keys", in: directory), Path.exists(path) {
      let run = try SortedRun(path)
      let progress = try JSONDecoder().decode(SignatureProgress.self, from: Data(run.note))
      let table = try SignatureTable(
        SignatureTable.path(runs.count, in: directory), rowBytes: rowBytes, firstDocument: documents)
      documents += table.count
      guard run.format == Self.keyFormat, documents == progress.documents else {
        throw Failure(
          .badInput, "does not match its table of documents", file: path,
          remedy: "Remove the directory and run again")
      }
      blocks += progress.blocks
      runs.append(run)
      tables.append(table)
    }
    guard documents == manifest.documents else {
      throw Failure(
        .badInput, "contains \(documents) documents instead of \(manifest.documents)", file: directory,
        remedy: "Remove the directory and run again")
    }
    (self.runs, self.tables, self.blocks) = (runs, tables, blocks)
  }

  /// Throws unless the documents, read again, are those that the signatures were made of.
  ///
  /// `digest` is the digest of all blocks.
  package func check(digest: UInt64, documents: Int) throws {
    try manifest.documentSet().check(digest: digest, documents: documents)
  }

  /// Calls `body` with the number and the row of each document, in order.
  func forEachRow(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    for table in tables { try table.forEachRow(body) }
  }
}
