/// Reads a JSON document (RFC 8259) by recursive descent over its bytes, without making a ``JSONValue`` of
/// large parts.
package struct JSONReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let file: String?
  private var index = 0
  private var depth = 0
  /// The key of the member that ``forEachMember(_:)`` has reached; reading another object overwrites it.
  package private(set) var key: [UInt8] = []

  /// Calls `body` with a reader at the beginning of `bytes`; it must read the one value that they hold.
  package static func read<Result>(
    _ bytes: [UInt8], file: String? = nil, _ body: (inout JSONReader) throws -> Result
  ) throws -> Result {
    try bytes.withUnsafeBufferPointer { buffer in
      var reader = JSONReader(bytes: buffer, file: file)
      if buffer.starts(with: [0xef, 0xbb, 0xbf]) { reader.index = 3 }
      let result = try body(&reader)
      reader.skipSpace()
      if reader.index < buffer.count { throw reader.failure("more text follows the JSON value") }
      return result
    }
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, file: String?) { (self.bytes, self.file) = (bytes, file) }

  /// The first byte of the next value, which identifies its kind; nil at the end.
  package mutating func peek() -> UInt8? {
    skipSpace()
    return index < bytes.count ? bytes[index] : nil
  }

  private func failure(_ message: String) -> Failure {
    Failure(.badInput, "not valid JSON: \(message)", file: file, offset: index)
  }

  private mutating func skipSpace() {
    while index < bytes.count, case let byte = bytes[index],
      byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 9
    {
      index += 1
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  private mutating func take(word: StaticString) -> Bool {
    let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes.dropFirst(index).starts(with: word) else { return false }
    index += word.count
    return true
  }

  /// The next value.
  package mutating func value() throws -> JSONValue {
    guard let first = peek() else { throw failure("unexpected end of the file") }
    switch first {
    case UInt8(ascii: "\""):
      var text: [UInt8] = []
      try string(into: &text)
      return .string(text)
    case UInt8(ascii: "{"):
      var members: [JSONValue.Member] = []
      try forEachMember {
        let key = $0.key
        members.append(JSONValue.Member(key: key, value: try $0.value()))
      }
      return .object(members)
    case UInt8(ascii: "["):
      var values: [JSONValue] = []
      try forEachElement { values.append(try $0.value()) }
      return .array(values)
    case UInt8(ascii: "t"): if take(word: "true") { return .bool(true) }
    case UInt8(ascii: "f"): if take(word: "false") { return .bool(false) }
    case UInt8(ascii: "n"): if take(word: "null") { return .null }
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: break
    }
    throw failure("a value was expected")
  }

  /// Reads an array: calls `body`, which must read one value, for each element.
  package mutating func forEachElement(_ body: (inout JSONReader) throws -> Void) throws {
    guard peek() == UInt8(ascii: "[") else { throw failure("an array was expected") }
    try enter()
    if take(UInt8(ascii: "]")) { return leave() }
    while true {
      try body(&self)
      skipSpace()
      if take(UInt8(ascii: "]")) { return leave() }
      if !take(UInt8(ascii: ",")) { throw failure("\",\" or \"]\" was expected") }
    }
  }

  /// Reads an object: calls `body`, which must read one value, for each member; ``key`` is its key.
  package mutating func forEachMember(_ body: (inout JSONReader) throws -> Void) throws {
    guard peek() == UInt8(ascii: "{") else { throw failure("an object was expected") }
    try enter()
    if take(UInt8(ascii: "}")) { return leave() }
    while true {
      guard peek() == UInt8(ascii: "\"") else { throw failure("a key was expected") }
      // Swapped out, because `string(into:)` needs exclusive access to the reader.
      var text: [UInt8] = []
      swap(&text, &key)
      text.removeAll(keepingCapacity: true)
      try string(into: &text)
      key = text
      skipSpace()
      if !take(UInt8(ascii: ":")) { throw failure("\":\" was expected") }
      try body(&self)
      skipSpace()
      if take(UInt8(ascii: "}")) { return leave() }
      if !take(UInt8(ascii: ",")) { throw failure("\",\" or \"}\" was expected") }
    }
  }

  /// Reads the next value, and calls `body` for each number in it: with its key, as in `shards[0].tokens`, and its
  /// place in the bytes. Numbers that nothing can store are numbers here, too.
  package mutating func forEachNumber(at path: String = "", _ body: (String, Range<Int>) -> Void) throws {
    switch peek() ?? 0 {
    case UInt8(ascii: "{"):
      try forEachMember {
        let key = String(decoding: $0.key, as: UTF8.self)
        try $0.forEachNumber(at: path.isEmpty ? key : "\(path).\(key)", body)
      }
    case UInt8(ascii: "["):
      var position = 0
      try forEachElement {
        try $0.forEachNumber(at: "\(path)[\(position)]", body)
        position += 1
      }
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let start = index
      while index < bytes.count, "0123456789+-.eE".utf8.contains(bytes[index]) { index += 1 }
      body(path, start..<index)
    default: _ = try value()
    }
  }

  private mutating func enter() throws {
    depth += 1
    if depth > 512 { throw failure("nested more than 512 deep") }
    index += 1
    skipSpace()
  }

  private mutating func leave() { depth -= 1 }

  private mutating func number() throws -> JSONValue {
    let start = index
    var whole = 0
    while index < bytes.count, case let digit = bytes[index] &- 0x30, digit < 10, index - start < 15 {
      whole = whole * 10 + Int(digit)
      index += 1
    }
    let isInteger =
      index > start && (index == bytes.count || !"0123456789+-.eE".utf8.contains(bytes[index]))
    if isInteger { return .number(Double(whole)) }
    while index < bytes.count, "0123456789+-.eE".utf8.contains(bytes[index]) { index += 1 }
    guard let value = Double(String(decoding: bytes[start..<index], as: UTF8.self)) else {
      throw failure("a number was expected")
    }
    if !value.isFinite { throw failure("the number is larger than any that can be stored") }
    return .number(value)
  }

  /// Reads a string and appends it with its escapes resolved.
  package mutating func string(into text: inout [UInt8]) throws {
    guard peek() == UInt8(ascii: "\"") else { throw failure("a string was expected") }
    index += 1
    while true {
      let start = index
      while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") {
        index += 1
      }
      guard index < bytes.count else { throw failure("a string has no closing quote") }
      text.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<index]))
      index += 1
      if bytes[index - 1] == UInt8(ascii: "\"") { return }
      try escape(into: &text)
    }
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard index < bytes.count else { throw failure("a string has no closing quote") }
    let byte = bytes[index]
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var unit = try fourDigits()
      if unit & 0xfc00 == 0xd800, take(word: "\\u") {
        let low = try fourDigits()
        if low & 0xfc00 == 0xdc00 {
          unit = 0x10000 + (unit & 0x3ff) << 10 + (low & 0x3ff)
        } else {
          text.append(contentsOf: [0xef, 0xbf, 0xbd])
          unit = low
        }
      }
      text.append(contentsOf: String(Unicode.Scalar(unit) ?? "\u{fffd}").utf8)
    default: throw failure("unknown escape sequence")
    }
  }

  private mutating func fourDigits() throws -> UInt32 {
    guard index + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[index..<(index + 4)], as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits were expected") }
    index += 4
    return value
  }
}
