/// Walks through the entries of one column in one row group: their levels and their values.
final class ColumnCursor {
  let node: SchemaNode
  private let pages: PageReader
  /// The levels of the current entry. Behind the last entry both are 0.
  private(set) var repetition = 0
  private(set) var definition = 0
  private(set) var isAtEnd = false

  private var entriesLeft: Int
  private var leftInPage = 0
  private var repetitions: HybridDecoder?
  private var definitions: HybridDecoder?
  private var values = ValueDecoder()
  private var dictionary: ValueDecoder.Dictionary?
  /// Where the current page begins, for messages.
  private(set) var pageOffset: Int

  init(_ file: ParquetFile, _ chunk: ColumnChunk, node: SchemaNode) throws {
    self.node = node
    pages = try PageReader(file, chunk)
    entriesLeft = chunk.valueCount
    pageOffset = pages.offset
  }

  /// Goes to the next entry.
  @inline(__always) func advance() throws {
    if leftInPage == 0 { try nextPage() }
    if isAtEnd { return }
    leftInPage -= 1
    if repetitions != nil { repetition = Int(try repetitions!.next()) }
    if definitions != nil { definition = Int(try definitions!.next()) }
    guard definition <= node.definition, repetition <= node.repetitionLevel else {
      throw ParquetError("the levels of a page are too high")
    }
  }

  func bits() throws -> UInt64 { try values.nextBits() }

  func bytes() throws -> UnsafeRawBufferPointer { try values.nextBytes() }

  private func nextPage() throws {
    (repetition, definition) = (0, 0)
    while leftInPage == 0 {
      if entriesLeft == 0 {
        isAtEnd = true
        return
      }
      guard let page = try pages.next() else {
        throw ParquetError("a column has fewer values than its metadata say")
      }
      pageOffset = page.offset
      if page.header.kind == .dictionary {
        if dictionary != nil { throw ParquetError("a column has two dictionaries") }
        dictionary = try ValueDecoder.Dictionary(of: node, page.content, count: page.header.valueCount)
        continue
      }
      guard page.header.valueCount <= entriesLeft else {
        throw ParquetError("a column has more values than its metadata say")
      }
      leftInPage = page.header.valueCount
      entriesLeft -= leftInPage
      try begin(page)
    }
  }

  private func begin(_ page: PageReader.Page) throws {
    let (header, bytes) = (page.header, page.content.readable)
    var offset = 0
    let (repetitionWidth, definitionWidth) = (
      Self.width(node.repetitionLevel), Self.width(node.definition)
    )
    if header.kind == .dataV2 {
      let levels = header.repetitionBytes + header.definitionBytes
      repetitions = try Self.levels(bytes, 0..<header.repetitionBytes, width: repetitionWidth)
      definitions = try Self.levels(bytes, header.repetitionBytes..<levels, width: definitionWidth)
      offset = levels
    } else {
      repetitions = try oldLevels(bytes, &offset, header.repetitionEncoding, width: repetitionWidth)
      definitions = try oldLevels(bytes, &offset, header.definitionEncoding, width: definitionWidth)
    }
    values = try ValueDecoder.decoder(
      header.encoding, of: node, UnsafeRawBufferPointer(rebasing: bytes[offset...]), in: page.content,
      dictionary: dictionary)
  }

  /// The bits that a level up to `highest` takes.
  private static func width(_ highest: Int) -> Int { Int.bitWidth - highest.leadingZeroBitCount }

  private static func levels(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, width: Int) throws
    -> HybridDecoder?
  {
    width == 0 ? nil : try HybridDecoder(UnsafeRawBufferPointer(rebasing: bytes[range]), width: width)
  }

  /// The levels of a page of version 1, where their length precedes them.
  private func oldLevels(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ encoding: Int, width: Int
  ) throws -> HybridDecoder? {
    if width == 0 { return nil }
    let cut = ParquetError("the levels of a page are cut")
    if encoding == PageEncoding.bitPacked.rawValue {
      let (bits, overflows) = leftInPage.multipliedReportingOverflow(by: width)
      let size = (bits + 7) / 8
      guard !overflows, size <= bytes.count - offset else { throw cut }
      defer { offset += size }
      return try HybridDecoder(
        UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + size)]), width: width, isOld: true)
    }
    guard encoding == PageEncoding.rle.rawValue else {
      throw ParquetError("levels have the encoding \(encoding)")
    }
    guard bytes.count - offset >= 4 else { throw cut }
    let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    guard length <= bytes.count - offset - 4 else { throw cut }
    defer { offset += 4 + length }
    return try Self.levels(bytes, (offset + 4)..<(offset + 4 + length), width: width)
  }
}
