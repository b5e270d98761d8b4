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

  let nodes: UnsafeMutableBufferPointer<Node>

  /// Token i of `tokens` is number i; empty ones are left out, and of equal ones the first is found.
  init(_ tokens: [[UInt8]]) {
    var builder = Builder(tokens)
    builder.build()
    nodes = UnsafeMutableBufferPointer(
      start: LargePages.allocate(Node.self, count: builder.nodes.count), count: builder.nodes.count)
    _ = nodes.initialize(from: builder.nodes)
  }

  deinit { nodes.deallocate() }

  /// The longest token that `text` begins with.
  ///
  /// With `wholeCharacters` only where the byte behind it begins a character.
  @inline(__always)
  func longest(_ text: UnsafePointer<UInt8>, _ count: Int, wholeCharacters: Bool) -> UInt32 {
    let nodes = nodes.baseAddress!
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

  /// The tokens that `text` begins with, from the shortest on.
  func forEachPrefix(_ text: [UInt8], _ body: (UInt32) -> Void) {
    var node: UInt32 = 0
    for byte in text {
      let next = nodes[Int(node)].base ^ UInt32(byte)
      if nodes[Int(next)].parent != node { return }
      node = next
      if nodes[Int(next)].token != Self.none { body(nodes[Int(next)].token) }
    }
  }

  private struct Builder {
    let tokens: [[UInt8]]
    var nodes = [Node](repeating: Node(), count: 512)
    /// Everything below is taken.
    private var firstFree = 1
    /// Where the search for room for several children begins.
    private var roomy = 1
    private var order: [UInt32]
    private var sorted: [UInt32]

    init(_ tokens: [[UInt8]]) {
      self.tokens = tokens
      order = tokens.indices.filter { !tokens[$0].isEmpty }.map(UInt32.init)
      sorted = order
      nodes[0].parent = 0
    }

    mutating func build() {
      // Node, and the part of `order` that holds the tokens below it, which agree in their first `depth` bytes.
      var open: [(node: Int, range: Range<Int>, depth: Int)] = [(0, 0..<order.count, 0)]
      while let (node, range, depth) = open.popLast() {
        if range.count == 1 {
          addRest(of: order[range.lowerBound], behind: node, depth)
          continue
        }
        var counts = [Int](repeating: 0, count: 257)
        for item in range {
          let token = tokens[Int(order[item])]
          if token.count == depth {
            nodes[node].token = min(nodes[node].token, order[item])
          } else {
            counts[Int(token[depth]) + 1] += 1
          }
        }
        let children = (0..<256).filter { counts[$0 + 1] > 0 }
        if children.isEmpty { continue }
        let ended = range.count - counts.reduce(0, +)
        var starts = [Int](repeating: range.lowerBound + ended, count: 257)
        for byte in 0..<256 { starts[byte + 1] = starts[byte] + counts[byte + 1] }
        var next = starts
        for item in range where tokens[Int(order[item])].count > depth {
          let byte = Int(tokens[Int(order[item])][depth])
          sorted[next[byte]] = order[item]
          next[byte] += 1
        }
        let inner = (range.lowerBound + ended)..<range.upperBound
        for item in inner { order[item] = sorted[item] }
        let base = room(for: children)
        nodes[node].base = UInt32(base)
        for byte in children {
          let child = base ^ byte
          nodes[child].parent = UInt32(node)
          open.append((child, starts[byte]..<starts[byte + 1], depth + 1))
        }
      }
    }

    /// The nodes of a token that shares no longer prefix with another.
    private mutating func addRest(of token: UInt32, behind node: Int, _ depth: Int) {
      var node = node
      for byte in tokens[Int(token)][depth...] {
        while isTaken(firstFree) { firstFree += 1 }
        nodes[node].base = UInt32(firstFree) ^ UInt32(byte)
        nodes[firstFree].parent = UInt32(node)
        node = firstFree
      }
      nodes[node].token = token
    }

    private mutating func room(for children: [Int]) -> Int {
      while isTaken(firstFree) { firstFree += 1 }
      var place = children.count == 1 ? firstFree : max(firstFree, roomy)
      var tries = 0
      while true {
        let base = place ^ children[0]
        if !children.contains(where: { isTaken(base ^ $0) }) { break }
        place += 1
        tries += 1
      }
      // Holes that have no room are left to single children.
      if tries > 64 { roomy = place }
      return place ^ children[0]
    }

    private mutating func isTaken(_ place: Int) -> Bool {
      while place >= nodes.count { nodes.append(contentsOf: repeatElement(Node(), count: nodes.count)) }
      return nodes[place].parent != TokenTrie.free
    }
  }
}
