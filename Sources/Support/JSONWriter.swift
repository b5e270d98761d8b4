/// Writes JSON text whose members keep the order in which they are written.
///
///     var json = JSONWriter()
///     json.object {
///       $0.member("step", 12)
///       $0.key("splits")
///       $0.array { $0.value("train") }
///     }
package struct JSONWriter {
  /// How the members of an object or the elements of an array are separated.
  package enum Layout: Sendable {
    /// `{"a":1,"b":2}`
    case compact
    /// `{"a": 1, "b": 2}`
    case spaced
    /// Each on a line of its own, indented by two spaces a level.
    case lines
  }

  package private(set) var bytes: [UInt8] = []

  private var layout = Layout.compact
  private var isFirst = true
  /// The next value belongs to a key that is written already.
  private var followsKey = false
  /// How many objects and arrays in lines are open.
  private var depth = 0

  package init() {}

  /// Makes room for `count` bytes of text.
  package mutating func reserveCapacity(_ count: Int) { bytes.reserveCapacity(count) }

  package var text: String { String(decoding: bytes, as: UTF8.self) }

  package mutating func object(
    _ layout: Layout = .compact, _ members: (inout JSONWriter) throws -> Void
  ) rethrows {
    try container("{", "}", layout, members)
  }

  package mutating func array(
    _ layout: Layout = .compact, _ elements: (inout JSONWriter) throws -> Void
  ) rethrows {
    try container("[", "]", layout, elements)
  }

  /// The name of the member whose value is written next.
  package mutating func key(_ name: String) {
    beginValue()
    append(quoted: name)
    endKey()
  }

  /// A name that `append` writes in its quotation marks.
  package mutating func key(_ append: (inout [UInt8]) -> Void) {
    beginValue()
    append(&bytes)
    endKey()
  }

  package mutating func value(_ value: String) {
    beginValue()
    append(quoted: value)
  }

  /// A value that `append` writes as JSON in one line.
  package mutating func value(_ append: (inout [UInt8]) -> Void) {
    beginValue()
    append(&bytes)
  }

  package mutating func value(_ value: Int) { json(String(value)) }

  package mutating func value(_ value: Bool) { json(value ? "true" : "false") }

  /// The shortest digits that give the number back; null, as JSON has no other word, if it is not finite.
  package mutating func value(_ value: Double) { json(value.isFinite ? String(value) : "null") }

  package mutating func null() { json("null") }

  /// A value that is JSON already; its lines are indented like the place where it goes.
  package mutating func json(_ text: String) {
    beginValue()
    for byte in text.utf8 {
      bytes.append(byte)
      if byte == 0x0a { indent() }
    }
  }

  package mutating func member(_ name: String, _ value: String) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, _ value: Int) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, _ value: Bool) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, _ value: Double) {
    key(name)
    self.value(value)
  }

  package mutating func nullMember(_ name: String) {
    key(name)
    null()
  }

  package mutating func member(_ name: String, json text: String) {
    key(name)
    json(text)
  }

  private mutating func container(
    _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ layout: Layout,
    _ content: (inout JSONWriter) throws -> Void
  ) rethrows {
    beginValue()
    bytes.append(UInt8(ascii: open))
    let outer = (self.layout, isFirst)
    (self.layout, isFirst) = (layout, true)
    if layout == .lines { depth += 1 }
    try content(&self)
    if layout == .lines {
      depth -= 1
      if !isFirst { startLine() }
    }
    (self.layout, isFirst) = outer
    bytes.append(UInt8(ascii: close))
  }

  /// Separates a key or an element from the one before it.
  private mutating func beginValue() {
    if followsKey {
      followsKey = false
      return
    }
    if !isFirst { bytes += layout == .spaced ? ", ".utf8 : ",".utf8 }
    if layout == .lines { startLine() }
    isFirst = false
  }

  private mutating func endKey() {
    bytes += layout == .compact ? ":".utf8 : ": ".utf8
    followsKey = true
  }

  private mutating func startLine() {
    bytes.append(0x0a)
    indent()
  }

  private mutating func indent() { bytes += repeatElement(0x20, count: 2 * depth) }

  private mutating func append(quoted text: String) {
    var text = text
    text.withUTF8 { JSONText.quote(UnsafeRawBufferPointer($0), into: &bytes) }
  }
}
