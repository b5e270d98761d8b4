import Foundation
import Support

@testable import Parquet

/// Reads files as tests need it.
enum Records {
  struct Result {
    var lines: [String] = []
    var losses: [RecordReader.Loss] = []
  }

  static func file(_ bytes: [UInt8]) throws -> ParquetFile {
    try ParquetFile(size: bytes.count) { offset, buffer in
      let count = min(buffer.count, max(0, bytes.count - offset))
      bytes.withUnsafeBytes {
        if count > 0 {
          buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)]))
        }
      }
      return count
    }
  }

  static func read(
    _ bytes: [UInt8], members: [(name: String, value: String?)] = [], isSelected: ((String) -> Bool)? = nil
  ) throws -> Result {
    let reader = try RecordReader(try file(bytes), members: members, isSelected: isSelected)
    var (result, out) = (Result(), [UInt8]())
    while !reader.isAtEnd {
      out.removeAll(keepingCapacity: true)
      if let loss = try reader.append(to: &out, size: 1 << 12) { result.losses.append(loss) }
      let text = String(decoding: out, as: UTF8.self)
      result.lines += text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
    return result
  }

  /// Whether two lines of JSON are the same text but for the digits of their floating-point numbers.
  static func agree(_ one: String, _ other: String) -> Bool {
    if one == other { return true }
    let (one, other) = (tokens(one), tokens(other))
    return one.count == other.count
      && zip(one, other).allSatisfy { one, other in
        if one == other { return true }
        guard one.count <= 26, other.count <= 26, one.contains(where: { ".e".contains($0) }) else {
          return false
        }
        guard let one = Double(one), let other = Double(other) else { return false }
        return one == other || Float(one) == Float(other)
      }
  }

  /// Strings and numbers, and what stands between them.
  private static func tokens(_ line: String) -> [String] {
    var (tokens, token, isInString, isEscaped, isNumber) = ([String](), "", false, false, false)
    for character in line.unicodeScalars {
      let digit = "0123456789+-.e".unicodeScalars.contains(character)
      if !isInString && digit != isNumber && !token.isEmpty {
        tokens.append(token)
        token = ""
      }
      isNumber = digit && !isInString
      token.unicodeScalars.append(character)
      if isEscaped {
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isInString.toggle()
      }
    }
    return tokens + [token]
  }
}
