import Foundation
import Support

/// Changes of files whose checksums are made right again, as no accident does.
enum Forgery {
  /// A file of JSON with a checksum, whose other text was changed.
  static func seal(_ text: String) -> String {
    guard let start = text.range(of: "\n  \"checksum\" : \""),
      let end = text.range(of: "\",", range: start.upperBound..<text.endIndex)
    else { return text }
    let body = "{" + text[end.upperBound...].trimmingCharacters(in: .newlines).withLeadingLineFeed
    let checksum = Hashing.hexadecimal(Hashing.xxh3(body))
    return "{\n  \"checksum\" : \"\(checksum)\"," + body.dropFirst() + "\n"
  }

  /// The words of the trailer of a sorted run, from its start: see ``SortedRun``.
  static let trailerWords = 8

  static func word(_ bytes: [UInt8], at offset: Int) -> UInt64 {
    bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
  }

  static func set(_ value: UInt64, at offset: Int, of bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
    }
  }

  static func isRun(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 64 && word(bytes, at: bytes.count - 64) == 0x3230_6e75_726d_6b70
  }

  /// A sorted run of which records, counts, note or trailer were changed. The sizes of the run before are given,
  /// in bytes.
  static func seal(run bytes: inout [UInt8], records: Int, note: Int) {
    let trailer = bytes.count - 64
    let table = trailer - note - 256 * 16
    guard table >= 0, records <= table else { return }
    let size =
      Int(clamping: word(bytes, at: trailer + 8)).multipliedReportingOverflow(by: 8).partialValue - 8
      + Int(clamping: min(8, word(bytes, at: trailer + 16)))
    var start = 0
    for part in 0..<256 {
      let count = Int(clamping: word(bytes, at: table + 16 * part))
      guard size > 0, count <= (table - start) / size else { break }
      let end = start + count * size
      let hash = bytes.withUnsafeBytes { Hashing.xxh64(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      set(hash, at: table + 16 * part + 8, of: &bytes)
      start = end
    }
    let hash = bytes.withUnsafeBytes {
      Hashing.xxh64(UnsafeRawBufferPointer(rebasing: $0[table..<(trailer + 56)]))
    }
    set(hash, at: trailer + 56, of: &bytes)
  }
}

extension String {
  fileprivate var withLeadingLineFeed: String { "\n" + self }
}
