import CZlib
import CZstd
import Foundation

/// The entries of one column in one row group, until they are written.
struct ColumnBuffer {
  let field: WrittenField
  private let type: InferredType
  private var repetitions: [UInt32] = []
  private var definitions: [UInt32] = []
  /// Values of eight bytes and booleans, as bits.
  private var numbers: [UInt64] = []
  private var text: [UInt8] = []
  private var ends: [Int] = []

  /// A page ends behind the row with which its values have so many bytes, or its entries are so many.
  private static let pageBytes = 1 << 20
  private static let pageEntries = 20_000
  private static let largestDictionary = 1 << 15
  private static let longestListed = 1 << 20
  /// Longer texts have no smallest and largest value in the statistics.
  private static let longestBound = 64

  init(_ field: WrittenField) {
    self.field = field
    guard case .value(let type, _) = field.kind else { preconditionFailure("a column has values") }
    self.type = type
  }

  var entryCount: Int { definitions.count }

  mutating func appendNothing(_ repetition: Int, _ definition: Int) {
    repetitions.append(UInt32(repetition))
    definitions.append(UInt32(definition))
  }

  /// Appends the value of a tape's entry, which is not null.
  mutating func append(
    _ entry: JSONTape.Entry, of bytes: UnsafeRawBufferPointer, _ repetition: Int
  ) {
    appendNothing(repetition, field.definition)
    switch type {
    case .boolean: numbers.append(bytes[entry.text.lowerBound] == UInt8(ascii: "t") ? 1 : 0)
    case .integer, .long: numbers.append(UInt64(bitPattern: Int64(word(entry, bytes)) ?? 0))
    case .real: numbers.append((Double(word(entry, bytes)) ?? .nan).bitPattern)
    case .string:
      JSONTape.append(entry, of: bytes, to: &text)
      ends.append(text.count)
    default:
      var range = entry.text
      if entry.kind == .string { range = (range.lowerBound - 1)..<(range.upperBound + 1) }
      text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
      ends.append(text.count)
    }
  }

  private func word(_ entry: JSONTape.Entry, _ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes[entry.text], as: UTF8.self)
  }

  // MARK: Pages

  /// A page with its header, ready to be written.
  struct Page {
    var isDictionary = false
    var entries = 0
    var encoding = PageEncoding.plain
    var content: [UInt8] = []
    private(set) var bytes: [UInt8] = []
    private(set) var plainSize = 0

    /// Compresses the content, and puts the header before it.
    mutating func finish(level: Int32) {
      plainSize = content.count
      let packed = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(content.count)) { buffer, count in
        count = ZSTD_compress(buffer.baseAddress, buffer.count, content, content.count, level)
        precondition(ZSTD_isError(count) == 0, "zstd has no memory")
      }
      let sum = UInt32(
        truncatingIfNeeded: packed.withUnsafeBytes {
          crc32(0, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32($0.count))
        })
      var writer = CompactWriter()
      let (entries, encoding, isDictionary, size) = (entries, encoding, isDictionary, content.count)
      writer.element { writer in
        writer.int32(1, isDictionary ? PageHeader.Kind.dictionary.rawValue : PageHeader.Kind.data.rawValue)
        writer.int32(2, size)
        writer.int32(3, packed.count)
        writer.int32(4, Int(Int32(bitPattern: sum)))
        writer.structure(isDictionary ? 7 : 5) { writer in
          writer.int32(1, entries)
          writer.int32(2, encoding.rawValue)
          if !isDictionary {
            writer.int32(3, PageEncoding.rle.rawValue)
            writer.int32(4, PageEncoding.rle.rawValue)
          }
        }
      }
      bytes = writer.bytes + packed
      plainSize += writer.bytes.count
      content = []
    }
  }

  /// The pages of the column, the dictionary first where it pays.
  func pages() -> [Page] {
    var pages: [Page] = []
    let dictionary = dictionary()
    if let dictionary {
      var page = Page(isDictionary: true, entries: dictionary.values.count, encoding: .plain)
      for value in dictionary.values { appendPlain(text: value, to: &page.content) }
      pages.append(page)
    }
    let width = dictionary.map { max(1, Int.bitWidth - ($0.values.count - 1).leadingZeroBitCount) } ?? 0
    var (entry, value) = (0, 0)
    while entry < definitions.count {
      let (firstEntry, firstValue) = (entry, value)
      var size = 0
      // A row is never cut.
      repeat {
        repeat {
          if definitions[entry] == UInt32(field.definition) {
            size += ends.isEmpty ? 8 : ends[value] - (value == 0 ? 0 : ends[value - 1]) + 4
            value += 1
          }
          entry += 1
        } while entry < definitions.count && repetitions[entry] > 0
      } while entry < definitions.count && size < Self.pageBytes && entry - firstEntry < Self.pageEntries
      var page = Page(entries: entry - firstEntry, encoding: dictionary == nil ? .plain : .rleDictionary)
      appendLevels(repetitions[firstEntry..<entry], highest: field.repetition, to: &page.content)
      appendLevels(definitions[firstEntry..<entry], highest: field.definition, to: &page.content)
      if let dictionary {
        page.content.append(UInt8(width))
        HybridEncoder.append(dictionary.indices[firstValue..<value], width: width, to: &page.content)
      } else {
        appendPlain(firstValue..<value, to: &page.content)
      }
      pages.append(page)
    }
    return pages
  }

  private func appendLevels(_ levels: ArraySlice<UInt32>, highest: Int, to out: inout [UInt8]) {
    if highest == 0 { return }
    let start = out.count
    out += [0, 0, 0, 0]
    HybridEncoder.append(levels, width: Int.bitWidth - highest.leadingZeroBitCount, to: &out)
    let length = UInt32(out.count - start - 4)
    for index in 0..<4 { out[start + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
  }

  private func appendPlain(_ values: Range<Int>, to out: inout [UInt8]) {
    if type == .boolean {
      let start = out.count
      out += [UInt8](repeating: 0, count: (values.count + 7) / 8)
      for (index, value) in values.enumerated() where numbers[value] != 0 {
        out[start + index / 8] |= 1 << UInt8(index % 8)
      }
    } else if type.physical == .byteArray {
      for value in values { appendPlain(text: range(value), to: &out) }
    } else {
      for value in values { withUnsafeBytes(of: numbers[value].littleEndian) { out.append(contentsOf: $0) } }
    }
  }

  private func range(_ value: Int) -> Range<Int> { (value == 0 ? 0 : ends[value - 1])..<ends[value] }

  private func appendPlain(text range: Range<Int>, to out: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(range.count).littleEndian) { out.append(contentsOf: $0) }
    out.append(contentsOf: text[range])
  }

  private struct Listed {
    /// Each distinct text once, in the order of their first appearance.
    var values: [Range<Int>] = []
    var indices: [UInt32] = []
  }

  /// The distinct texts, where there are at most half as many as texts, and they are short together.
  private func dictionary() -> Listed? {
    guard type == .string, ends.count > 1 else { return nil }
    var listed = Listed()
    var places: [[UInt8]: UInt32] = [:]
    var size = 0
    listed.indices.reserveCapacity(ends.count)
    for value in ends.indices {
      let bytes = Array(text[range(value)])
      if let place = places[bytes] {
        listed.indices.append(place)
        continue
      }
      size += bytes.count + 4
      let most = max(Self.firstLook, value / 2)
      if places.count >= min(most, Self.largestDictionary) || size > Self.longestListed { return nil }
      places[bytes] = UInt32(places.count)
      listed.indices.append(UInt32(listed.values.count))
      listed.values.append(range(value))
    }
    return listed.values.count * 2 <= ends.count ? listed : nil
  }

  /// So many distinct texts are listed before their share counts.
  private static let firstLook = 256

  // MARK: Statistics

  /// The number of nulls, and the smallest and the largest value as PLAIN encodes them.
  func writeStatistics(to writer: inout CompactWriter) {
    let count = type.physical == .byteArray ? ends.count : numbers.count
    let bounds = bounds()
    writer.int64(3, definitions.count - count)
    if let bounds {
      writer.binary(5, bounds.largest)
      writer.binary(6, bounds.smallest)
    }
  }

  private func bounds() -> (smallest: [UInt8], largest: [UInt8])? {
    func plain(_ bits: UInt64) -> [UInt8] { withUnsafeBytes(of: bits.littleEndian) { Array($0) } }
    switch type {
    case .boolean:
      guard let low = numbers.min(), let high = numbers.max() else { return nil }
      return ([UInt8(low)], [UInt8(high)])
    case .integer, .long:
      let values = numbers.lazy.map { Int64(bitPattern: $0) }
      guard let low = values.min(), let high = values.max() else { return nil }
      return (plain(UInt64(bitPattern: low)), plain(UInt64(bitPattern: high)))
    case .real:
      let values = numbers.lazy.map { Double(bitPattern: $0) }
      if values.contains(where: \.isNaN) { return nil }
      guard let low = values.min(), let high = values.max() else { return nil }
      // The format wants zeros so, because it does not say which of the two is smaller.
      return (plain((low == 0 ? -0.0 : low).bitPattern), plain((high == 0 ? 0.0 : high).bitPattern))
    case .string:
      guard !ends.isEmpty else { return nil }
      var (low, high) = (range(0), range(0))
      for value in ends.indices {
        let next = range(value)
        if text[next].lexicographicallyPrecedes(text[low]) { low = next }
        if text[high].lexicographicallyPrecedes(text[next]) { high = next }
      }
      if low.count > Self.longestBound || high.count > Self.longestBound { return nil }
      return (Array(text[low]), Array(text[high]))
    default: return nil
    }
  }
}
