import Support

/// Connected components of documents by union-find (Tarjan, 1975), in one array of 4 bytes per document.
///
/// The root of a component is its smallest document number, so the result does not depend on the order of the
/// pairs. An entry is the parent of a document or, at a root, the size of the component with the top bit set.
struct DuplicateClusters: ~Copyable {
  let documentCount: Int
  private let entries: UnsafeMutablePointer<UInt32>

  private static let root: UInt32 = 1 << 31

  init(documentCount: Int) {
    self.documentCount = documentCount
    entries = LargePages.allocate(UInt32.self, count: max(documentCount, 1))
    entries.initialize(repeating: Self.root | 1, count: documentCount)
  }

  deinit { entries.deallocate() }

  /// The smallest number of the document's component.
  func root(of document: Int) -> Int {
    var document = document
    while true {
      let parent = entries[document]
      if parent & Self.root != 0 { return document }
      let grandparent = entries[Int(parent)]
      if grandparent & Self.root != 0 { return Int(parent) }
      // Path halving keeps later lookups short.
      entries[document] = grandparent
      document = Int(grandparent)
    }
  }

  func join(_ a: Int, _ b: Int) {
    let (a, b) = (root(of: a), root(of: b))
    if a == b { return }
    let (size, smaller, larger) = (entries[a] &+ entries[b] & ~Self.root, min(a, b), max(a, b))
    entries[larger] = UInt32(smaller)
    entries[smaller] = Self.root | size
  }

  /// The number of documents in the component of a root.
  func size(ofRoot root: Int) -> Int { Int(entries[root] & ~Self.root) }
}
