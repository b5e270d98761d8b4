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
  static let keyFormat = RecordFormat(words: 2, lastBytes: 4, kind: "keys")

  /// Whether the stage was completed in this directory.
  package static func exists(_ directory: String) -> Bool { Path.exists(SignatureManifest.path(directory)) }

  package init(_ directory: String) throws {
    self.directory = directory
    manifest = try SignatureManifest.read(directory)
    let runs = try RecordSorter.runs(manifest.runs, name: "keys", in: directory, format: Self.keyFormat)
    var tables: [SignatureTable] = []
    var blocks: [Int] = []
    let rowBytes = MinHasher.RowFormat(manifest.options).bytes
    var documents = 0
    for (index, run) in runs.enumerated() {
      let progress = try SignatureProgress.read(run, after: documents)
      let table = try SignatureTable(
        SignatureTable.path(index, in: directory), rowBytes: rowBytes, firstDocument: documents)
      documents += table.count
      guard documents == progress.documents, index < manifest.tables.count,
        Hashing.hexadecimal(table.checksum) == manifest.tables[index]
      else {
        throw Failure(
          .badInput, "its table of documents is not the one that was written with it", file: run.path,
          remedy: "Remove the directory and run again")
      }
      blocks += progress.blocks
      tables.append(table)
    }
    guard documents == manifest.documents else {
      throw Failure(
        .badInput, "documents is \(manifest.documents), but the tables beside it have \(documents)",
        file: SignatureManifest.path(directory),
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
