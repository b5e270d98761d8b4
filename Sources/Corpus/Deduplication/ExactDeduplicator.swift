import Support

/// A document that was removed, and why.
package struct Removal: Sendable, Equatable {
  package let location: DocumentLocation
  /// nil: the document was empty.
  package let first: DocumentLocation?

  package init(location: DocumentLocation, first: DocumentLocation?) {
    self.location = location
    self.first = first
  }
}

/// Keeps the first of all documents with the same bytes, and no empty document (nothing but ASCII white space).
///
/// The hash of a document (XXH3 with 128 bits) stands for it: 60 million documents collide with probability 5e-24.
package struct ExactDeduplicator {
  private var seen: SeenDocuments

  /// `remembersFirst`: whether removals can name the first occurrence, at 8 to 21 bytes a document.
  package init(remembersFirst: Bool) { seen = SeenDocuments(remembersLocations: remembersFirst) }

  /// Distinct documents so far.
  package var documentCount: Int { seen.count }

  /// The hash of each document; nil for an empty one.
  ///
  /// This half can run on many threads.
  package static func hashes(of batch: DocumentBatch) -> [UInt128?] {
    var hashes: [UInt128?] = []
    hashes.reserveCapacity(batch.count)
    batch.forEachDocument { _, text in hashes.append(Bytes.isBlank(text[...]) ? nil : Hashing.xxh3Wide(text))
    }
    return hashes
  }

  /// Removes from the batch what is empty or was seen before, in this batch or one given earlier.
  package mutating func deduplicate(_ batch: inout DocumentBatch, hashes: [UInt128?]) -> [Removal] {
    var removals: [Removal] = []
    let (source, lines) = (batch.source.index, batch.lines)
    batch.keep { index in
      let location = DocumentLocation(source: source, line: lines[index])
      guard let hash = hashes[index] else {
        removals.append(Removal(location: location, first: nil))
        return false
      }
      guard let first = seen.insert(hash, at: location) else { return true }
      removals.append(Removal(location: location, first: first))
      return false
    }
    return removals
  }
}
