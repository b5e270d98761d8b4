import Support

/// Tokens by their first bytes: a double array, in which one look leads from a prefix to the next longer one.
///
/// Node n has its child for byte b at `base(n) ^ b`, if that place names n as its parent.
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
  /// The longest token, beside itself, that each token begins with, or ``none``.
  let prefixes: [UInt32]
  /// Whether no two tokens are equal.
  let isUnique: Bool

  /// Token i is number i; none is empty.
  init(_ texts: TokenStrings) {
    var builder = Builder(texts)
    builder.build()
    (nodes, prefixes, isUnique) = (builder.nodes, builder.prefixes, builder.isUnique)
  }

  deinit { nodes.deallocate() }

  /// The longest token that `text` begins with.
  ///
  /// With `wholeCharacters` only where the byte behind it begins a character.
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
    /// A multiple of 256, so that a node's children all lie inside.
    private var capacity: Int
    /// Everything below is taken.
    private var firstFree = 1
    /// Where the search for room for several children begins.
    private var roomy = 1

    init(_ texts: TokenStrings) {
      self.texts = texts
      prefixes = [UInt32](repeating: TokenTrie.none, count: texts.count)
      // A few nodes a token.
      capacity = 1 << 10
      while capacity < 4 * texts.count { capacity *= 2 }
      nodes = LargePages.allocate(Node.self, count: capacity)
      nodes.initialize(repeating: Node(), count: capacity)
      // Taken, and nobody's child: the place `base ^ byte` of the root may be its own.
      nodes[0].parent = TokenTrie.free - 1
    }

    mutating func build() {
      let order = texts.sorted()
      texts.bytes.withUnsafeBufferPointer { bytes in
        // A node and the part of `order` that holds the tokens below it, which agree in their first `depth` bytes; the last token
        // that ends above.
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
          let base = room(for: children)
          nodes[node].base = UInt32(base)
          for child in children { nodes[base ^ child.byte].parent = UInt32(node) }
          for child in children { open.append((base ^ child.byte, child.range, depth + 1, above)) }
        }
      }
    }

    /// The nodes of a token that shares no longer prefix with another.
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

    private mutating func room(for children: [(byte: Int, range: Range<Int>)]) -> Int {
      findFree()
      var place = children.count == 1 ? firstFree : max(firstFree, roomy)
      var tries = 0
      while true {
        reserve(place)
        let base = place ^ children[0].byte
        if children.allSatisfy({ nodes[base ^ $0.byte].parent == TokenTrie.free }) { break }
        place += 1
        tries += 1
      }
      // Holes that have no room are left to single children.
      if tries > 64 { roomy = place }
      return place ^ children[0].byte
    }

    private mutating func findFree() {
      while true {
        reserve(firstFree)
        if nodes[firstFree].parent == TokenTrie.free { return }
        firstFree += 1
      }
    }

    private mutating func reserve(_ place: Int) {
      if place < capacity { return }
      let larger = LargePages.allocate(Node.self, count: 2 * capacity)
      larger.moveInitialize(from: nodes, count: capacity)
      (larger + capacity).initialize(repeating: Node(), count: capacity)
      nodes.deallocate()
      nodes = larger
      capacity *= 2
    }
  }
}
