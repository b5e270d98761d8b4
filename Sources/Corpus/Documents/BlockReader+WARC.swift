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
  /// If a record begins before the end of the content, the stated length was wrong.
  func skipBytes() throws {
    let start = line
    var chunk = rest
    rest = []
    while true {
      let isWhole = chunk.count >= bytesToSkip
      let (next, end) = chunk.withUnsafeBytes { bytes in
        let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(bytesToSkip))
        // Its first bytes may be the middle of a line.
        let next = WARCScanner.nextVersionLine(bytes, from: 1)
        let end = next ?? (isWhole || isAtEnd ? bytes.count : WARCScanner.endOfForeign(bytes, from: 0) ?? 0)
        line += Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        return (next, end)
      }
      bytesToSkip -= end
      rest = Array(chunk[end...])
      if next == nil && bytesToSkip == 0 { return }
      if next != nil || isAtEnd { break }
      let isAfterMember = !input.file.isInsideUnit
      let more = try [UInt8](unsafeUninitializedCapacity: options.batchBytes) { buffer, count in
        count = try input.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if more.isEmpty { isAtEnd = true }
      noteProgress()
      if isAfterMember && more.starts(with: Array("WARC/".utf8)) {
        bytesToSkip -= rest.count
        line += rest.withUnsafeBytes { Bytes.count(of: 0x0a, in: $0) }
        rest = more
        break
      }
      chunk = rest + more
    }
    try report(.warcRecordsTruncated, line: start, "the record ends \(bytesToSkip) bytes early")
    bytesToSkip = 0
  }
}
