import Foundation

/// The counts and timings of one run, in the order they were first named.
///
/// Written as JSON by `--summary` and as a few lines on standard error.
package struct Summary: Sendable {
  package enum Value: Sendable, Equatable {
    case count(Int)
    case number(Double)
    case text(String)
  }

  package private(set) var entries: [(name: String, value: Value)] = []

  package init() {}

  package subscript(name: String) -> Value? {
    get { entries.first { $0.name == name }?.value }
    set {
      if let index = entries.firstIndex(where: { $0.name == name }) {
        if let newValue { entries[index].value = newValue } else { entries.remove(at: index) }
      } else if let newValue {
        entries.append((name, newValue))
      }
    }
  }

  /// Adds to a count.
  ///
  /// Names are lower_snake_case: `documents_in`, `invalid_utf8_replaced`.
  package mutating func add(_ name: String, _ count: Int = 1) {
    if case .count(let old)? = self[name] {
      self[name] = .count(old + count)
    } else {
      self[name] = .count(count)
    }
  }

  package func count(_ name: String) -> Int {
    if case .count(let value)? = self[name] { return value }
    return 0
  }

  /// Adds the counts of another run's part; numbers and texts of the other replace ours.
  package mutating func merge(_ other: Summary) {
    for (name, value) in other.entries {
      if case .count(let count) = value { add(name, count) } else { self[name] = value }
    }
  }

  /// One JSON object, keys in the order of first use.
  package var json: String {
    let fields = entries.map { name, value in
      let text =
        switch value {
        case .count(let count): String(count)
        case .number(let number): number.isFinite ? String(number) : "null"
        case .text(let text): JSONText.quote(text)
        }
      return "  \(JSONText.quote(name)): \(text)"
    }
    return "{\n" + fields.joined(separator: ",\n") + "\n}\n"
  }

  /// One line: `documents_in 12, documents_out 11, seconds 0.3`.
  package var line: String {
    entries.map { name, value in
      switch value {
      case .count(let count): "\(name) \(count)"
      case .number(let number): "\(name) \((number * 1000).rounded() / 1000)"
      case .text(let text): "\(name) \(text)"
      }
    }.joined(separator: ", ")
  }
}

/// Quoting for the JSON that we write by hand because the order of its keys matters.
package enum JSONText {
  package static func quote(_ text: String) -> String {
    var out: [UInt8] = []
    var text = text
    text.withUTF8 { quote(UnsafeRawBufferPointer($0), into: &out) }
    return String(decoding: out, as: UTF8.self)
  }

  /// Appends UTF-8 text as a JSON string.
  ///
  /// Control characters and the two that JSON reserves are escaped, nothing else.
  package static func quote(_ text: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    var plain = 0
    while case let index = firstToEscape(text, from: plain), index < text.count {
      out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[plain..<index]))
      plain = index + 1
      out.append(UInt8(ascii: "\\"))
      switch text[index] {
      case 0x22, 0x5c: out.append(text[index])
      case 0x0a: out.append(UInt8(ascii: "n"))
      case 0x0d: out.append(UInt8(ascii: "r"))
      case 0x09: out.append(UInt8(ascii: "t"))
      default: out.append(contentsOf: Array("u00\(Hashing.hexadecimal([text[index]]))".utf8))
      }
    }
    out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[plain...]))
    out.append(UInt8(ascii: "\""))
  }

  /// The next byte that cannot stand in a JSON string, or the end; eight at a time.
  private static func firstToEscape(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
    let (ones, tops) = (0x0101_0101_0101_0101 as UInt64, 0x8080_8080_8080_8080 as UInt64)
    /// The top bit of the first byte below a limit, and perhaps of some after it.
    @inline(__always) func below(_ limit: UInt64, _ word: UInt64) -> UInt64 {
      (word &- limit &* ones) & ~word & tops
    }
    var index = start
    while index + 8 <= text.count {
      let word = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let found = below(0x20, word) | below(1, word ^ 0x22 &* ones) | below(1, word ^ 0x5c &* ones)
      if found != 0 { return index + found.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < text.count, text[index] >= 0x20, text[index] != 0x22, text[index] != 0x5c { index += 1 }
    return index
  }
}
