import Foundation
import Support

extension BlockReader {
  func scanRecords(_ bytes: inout [UInt8], _ records: inout [WARCRecord]) throws -> Int {
    var scanner = WARCScanner(longestDocument: options.longestDocument)
    var length: Int?
    while length == nil {
      let left = input.bytesLeft
      let step = bytes.withUnsafeBytes { scanner.advance($0, isAtEnd: isAtEnd, bytesLeft: left) }
      switch step {
      case .cut(let end): length = end
      case .more(let count): bytes = try extended(bytes, to: count)
      case .skip(let from, let count): (length, bytesToSkip) = (from, count)
      }
    }
    records = scanner.records
    if let first = scanner.firstForeign {
      let before = bytes.withUnsafeBytes {
        Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[..<first]))
      }
      try report(
        .warcBytesSkipped, scanner.foreignBytes, line: line + before,
        "\(scanner.foreignBytes) bytes that belong to no WARC record, skipped")
    }
    return length!
  }

  /// Skips the content of a long record.
  ///
  /// If a new gzip member starts with a record before the end of the content, the stated length was wrong.
  func skipBytes() throws {
    let start = line
    var chunk = rest
    rest = []
    while true {
      if chunk.count >= bytesToSkip {
        line += chunk.withUnsafeBytes {
          Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[..<bytesToSkip]))
        }
        rest = Array(chunk[bytesToSkip...])
        bytesToSkip = 0
        return
      }
      line += chunk.withUnsafeBytes { Bytes.count(of: 0x0a, in: $0) }
      bytesToSkip -= chunk.count
      if isAtEnd { break }
      let isAfterMember = !input.file.isInsideUnit
      chunk = try [UInt8](unsafeUninitializedCapacity: options.batchBytes) { buffer, count in
        count = try input.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if chunk.isEmpty { isAtEnd = true }
      noteProgress()
      if isAfterMember && chunk.starts(with: Array("WARC/".utf8)) {
        rest = chunk
        break
      }
    }
    try report(.warcRecordsTruncated, line: start, "the record ends \(bytesToSkip) bytes early")
    bytesToSkip = 0
  }
}
