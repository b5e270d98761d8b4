import Support

/// Finds the longest token that a text begins with: a trie as a double array (Aoe, 1989), in which one
/// look-up leads from a prefix to the next longer one.
///
/// Node n has its child for byte b at index `base(n) ^ b`, if the node there names n as its parent.
final class TokenTrie: @unchecked Sendable {
  // Written by `init` only.

  /// No token ends here.
  static let none = UInt32.max
  private static let free = UInt32.max

  struct Node {
    var base: UInt32 = 0
    var parent = TokenTrie.free
    var token = TokenTrie.none
  }

  private let nodes: UnsafeMutablePointer<Node>
  /// The longest other token that each token begins with, or ``none``.
  let prefixes: [UInt32]
  /// Whether no two tokens are equal.
  let isUnique: Bool

  /// The numbers of the tokens are those of their texts; no text is empty.
  init(_ texts: TokenStrings) {
    var builder = Builder(texts)
    builder.build()
    (nodes, prefixes, isUnique) = (builder.nodes, builder.prefixes, builder.isUnique)
  }

  deinit { nodes.deallocate() }

  /// The longest token that `text` begins with.
  ///
  /// With `wholeCharacters`, only a token that does not end inside a character of the text.
  @inline(__always)
  func longest(_ text: UnsafePointer<UInt8>, _ count: Int, wholeCharacters: Bool) -> UInt32 {
    var node: UInt32 = 0
    var found = Self.none
    var index = 0
    while index < count {
      let next = nodes[Int(node)].base ^ UInt32(text[index])
      let entry = nodes[Int(next)]
      if entry.parent != node { break }
      node = next
      index &+= 1
      if entry.token != Self.none
        && !(wholeCharacters && index < count && text[index] & 0xc0 == 0x80)
      {
        found = entry.token
      }
    }
    return found
  }

  private struct Builder {
    private let texts: TokenStrings
    private(set) var nodes: UnsafeMutablePointer<Node>
    private(set) var prefixes: [UInt32]
    private(set) var isUnique = true
    /// A multiple of 256, so that all children of a node are inside.
    private var capacity: Int
    /// No node below is free.
    private var firstFree = 1
    /// Where the search for a base of several children begins.
    private var searchStart = 1

    init(_ texts: TokenStrings) {
      self.texts = texts
      prefixes = [UInt32](repeating: TokenTrie.none, count: texts.count)
      // A few nodes per token.
      capacity = 1 << 10
      while capacity < 4 * texts.count { capacity *= 2 }
      nodes = LargePages.allocate(Node.self, count: capacity)
      nodes.initialize(repeating: Node(), count: capacity)
      // Not free, and no node's child: `base ^ byte` of the root may be its own index.
      nodes[0].parent = TokenTrie.free - 1
    }

    mutating func build() {
      let order = texts.sorted()
      texts.bytes.withUnsafeBufferPointer { bytes in
        // A node, the part of `order` that holds the tokens below it, which agree in their first `depth`
        // bytes, and the last token that ends above the node.
        var open: [(node: Int, range: Range<Int>, depth: Int, above: UInt32)] = [
          (0, 0..<order.count, 0, TokenTrie.none)
        ]
        var children: [(byte: Int, range: Range<Int>)] = []
        while let part = open.popLast() {
          let (node, depth) = (part.node, part.depth)
          var (range, above) = (part.range, part.above)
          while !range.isEmpty, case let token = order[range.lowerBound],
            texts.range(of: token).count == depth
          {
            if nodes[node].token == TokenTrie.none {
              nodes[node].token = token
              prefixes[Int(token)] = above
              above = token
            } else {
              isUnique = false
            }
            range = (range.lowerBound + 1)..<range.upperBound
          }
          if range.count == 1 {
            addRest(of: order[range.lowerBound], bytes, behind: node, depth, above)
            continue
          }
          if range.isEmpty { continue }
          children.removeAll(keepingCapacity: true)
          var start = range.lowerBound
          while start < range.upperBound {
            let byte = bytes[texts.range(of: order[start]).lowerBound + depth]
            var end = start + 1
            while end < range.upperBound, bytes[texts.range(of: order[end]).lowerBound + depth] == byte {
              end += 1
            }
            children.append((Int(byte), start..<end))
            start = end
          }
          let base = base(for: children)
          nodes[node].base = UInt32(base)
          for child in children { nodes[base ^ child.byte].parent = UInt32(node) }
          for child in children { open.append((base ^ child.byte, child.range, depth + 1, above)) }
        }
      }
    }

    /// Adds the nodes of a token that shares no longer prefix with any other.
    private mutating func addRest(
      of token: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, behind node: Int, _ depth: Int, _ above: UInt32
    ) {
      var node = node
      for byte in bytes[texts.range(of: token).dropFirst(depth)] {
        findFree()
        nodes[node].base = UInt32(firstFree) ^ UInt32(byte)
        nodes[firstFree].parent = UInt32(node)
        node = firstFree
      }
      nodes[node].token = token
      prefixes[Int(token)] = above
    }

    /// A base at which the nodes of all children are free.
    private mutating func base(for children: [(byte: Int, range: Range<Int>)]) -> Int {
      findFree()
      var first = children.count == 1 ? firstFree : max(firstFree, searchStart)
      var tries = 0
      while true {
        reserve(first)
        let base = first ^ children[0].byte
        if children.allSatisfy({ nodes[base ^ $0.byte].parent == TokenTrie.free }) { break }
        first += 1
        tries += 1
      }
      // The gaps before are left to nodes with one child.
      if tries > 64 { searchStart = first }
      return first ^ children[0].byte
    }

    private mutating func findFree() {
      while true {
        reserve(firstFree)
        if nodes[firstFree].parent == TokenTrie.free { return }
        firstFree += 1
      }
    }

    private mutating func reserve(_ index: Int) {
      if index < capacity { return }
      let larger = LargePages.allocate(Node.self, count: 2 * capacity)
      larger.moveInitialize(from: nodes, count: capacity)
      (larger + capacity).initialize(repeating: Node(), count: capacity)
      nodes.deallocate()
      nodes = larger
      capacity *= 2
    }
  }
}
