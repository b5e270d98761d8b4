import Algorithms
import Foundation
import Support

/// The shingles of all documents in candidate pairs, on disk, and the exact similarity of any two of these
/// documents.
///
/// Disk: 8 bytes per shingle. Memory: 12 bytes per document in a pair, and one bit per document. Of a
/// document with more than a million distinct shingles only the million smallest hashes are stored and
/// compared with those of the other document below the same bound: a bottom-k sketch (Cohen and Kaplan, 2007)
/// with an error of about 0.001.
package final class ShingleSets {
  private let file: MappedFile
  private let documents: [UInt32]
  /// The start of the shingles of each document, and the end of the last.
  private let starts: [Int]

  package static let limit = 1 << 20

  /// The documents that are in a pair.
  package struct Members: Sendable {
    fileprivate var bits: [UInt64]

    package func contains(_ document: Int) -> Bool {
      document / 64 < bits.count && bits[document / 64] >> (document % 64) & 1 != 0
    }
  }

  /// Reads all pairs and notes which documents are in one of them.
  package static func members(of pairs: CandidatePairs, memory: Int, scratch: String) throws -> Members {
    var members = Members(bits: [UInt64](repeating: 0, count: pairs.documentCount / 64 + 1))
    try pairs.forEach(memory: memory, scratch: scratch) { batch in
      for pair in batch {
        for document in [Int(pair >> 32), Int(pair & 0xffff_ffff)] {
          members.bits[document / 64] |= 1 << (document % 64)
        }
      }
    }
    return members
  }

  /// The distinct shingles of the documents of a batch that are in pairs. `firstDocument` is the number of
  /// the first document of the batch.
  ///
  /// This step can run on many threads.
  package static func sets(
    of batch: DocumentBatch, firstDocument: Int, members: Members, options: ShingleOptions
  ) -> [(document: Int, shingles: [UInt64])] {
    let shingler = Shingler(options)
    var sets: [(document: Int, shingles: [UInt64])] = []
    batch.forEachDocument { index, text in
      guard members.contains(firstDocument + index) else { return }
      sets.append((firstDocument + index, shingler.set(of: text, limit: limit)))
    }
    return sets
  }

  /// Writes the sets of all documents in pairs, in the order of their numbers.
  package final class Writer {
    private let file: OutputFile
    private var documents: [UInt32] = []
    private var starts = [0]

    package init(_ path: String) throws { file = try OutputFile(path) }

    package func append(_ sets: [(document: Int, shingles: [UInt64])]) throws {
      for (document, shingles) in sets {
        documents.append(UInt32(document))
        starts.append(starts.last! + shingles.count)
        try shingles.withUnsafeBytes { try file.write($0) }
      }
    }

    package func finish() throws -> ShingleSets {
      try file.finish()
      return ShingleSets(
        file: try MappedFile(file.path, access: .random), documents: documents, starts: starts)
    }
  }

  private init(file: MappedFile, documents: [UInt32], starts: [Int]) {
    (self.file, self.documents, self.starts) = (file, documents, starts)
  }

  private func shingles(of document: Int) -> UnsafeBufferPointer<UInt64> {
    let document = UInt32(document)
    let index = documents.partitioningIndex { $0 >= document }
    precondition(index < documents.count && documents[index] == document, "a document that is in no pair")
    let words = file.bytes.bindMemory(to: UInt64.self)
    return UnsafeBufferPointer(rebasing: words[starts[index]..<starts[index + 1]])
  }

  package func similarity(_ a: Int, _ b: Int) -> Double { Self.similarity(shingles(of: a), shingles(of: b)) }

  /// The Jaccard index of two ascending sets. Sets of ``limit`` elements are incomplete above their last
  /// element.
  static func similarity(_ a: UnsafeBufferPointer<UInt64>, _ b: UnsafeBufferPointer<UInt64>) -> Double {
    var bound = UInt64.max
    for set in [a, b] where set.count >= limit { bound = min(bound, set[set.count - 1]) }
    var (i, j, shared, all) = (0, 0, 0, 0)
    while i < a.count || j < b.count {
      let takesFirst = i < a.count && (j == b.count || a[i] <= b[j])
      let takesSecond = j < b.count && (i == a.count || b[j] <= a[i])
      if (takesFirst ? a[i] : b[j]) > bound { break }
      all += 1
      if takesFirst && takesSecond { shared += 1 }
      if takesFirst { i += 1 }
      if takesSecond { j += 1 }
    }
    return all == 0 ? 0 : Double(shared) / Double(all)
  }

  /// The pairs whose similarity is at least the threshold.
  package func verified(
    _ pairs: CandidatePairs, threshold: Double, directory: String, memory: Int, pool: WorkerPool
  ) throws -> CandidatePairs {
    let sorter = try RecordSorter(
      directory: directory, name: "verified", format: BandJoin.pairFormat, memory: memory / 2, pool: pool,
      isNew: true)
    try pairs.forEach(memory: memory / 4, scratch: directory) { batch in
      var isSimilar = [Bool](repeating: false, count: batch.count)
      isSimilar.withUnsafeMutableBufferPointer { isSimilar in
        nonisolated(unsafe) let flags = isSimilar
        pool.forEach((batch.count + 255) / 256) { item, _ in
          for index in (item * 256)..<min(batch.count, (item + 1) * 256) {
            let pair = batch[index]
            flags[index] = self.similarity(Int(pair >> 32), Int(pair & 0xffff_ffff)) >= threshold
          }
        }
      }
      file.releasePages()
      try sorter.appendEndingRuns(zip(batch, isSimilar).filter(\.1).map(\.0))
    }
    return CandidatePairs(
      sets: pairs.sets, runs: try sorter.finish(memory: memory / 4), directory: directory)
  }
}
