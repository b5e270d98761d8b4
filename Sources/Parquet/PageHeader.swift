/// What stands before each page.
struct PageHeader {
  enum Kind: Int { case data, index, dictionary, dataV2 }

  var kind = Kind.data
  var uncompressedSize = 0
  var compressedSize = 0
  var checksum: UInt32?
  var valueCount = 0
  var encoding = 0
  /// Of version 1.
  var definitionEncoding = PageEncoding.rle.rawValue
  var repetitionEncoding = PageEncoding.rle.rawValue
  /// Of version 2.
  var definitionBytes = 0
  var repetitionBytes = 0
  var isCompressed = true

  init(_ reader: inout CompactReader) throws {
    var seen = Set<Int>()
    try reader.structure { reader, field in
      seen.insert(field.id)
      switch (field.id, field.type) {
      case (1, 5):
        let raw = try reader.int()
        guard let value = Kind(rawValue: raw) else {
          throw ParquetError("a page has the unknown kind \(raw)")
        }
        kind = value
      case (2, 5): uncompressedSize = try reader.count("the size of a page")
      case (3, 5): compressedSize = try reader.count("the size of a page")
      case (4, 5): checksum = UInt32(truncatingIfNeeded: try reader.int())
      case (5, 12): try readData(&reader)
      case (7, 12): try readData(&reader)
      case (8, 12): try readDataV2(&reader)
      default: return false
      }
      return true
    }
    if !seen.isSuperset(of: [1, 2, 3]) { throw ParquetError("a page lacks fields of its header") }
    let needed = [5, nil, 7, 8][kind.rawValue]
    if let needed, !seen.contains(needed) { throw ParquetError("a page lacks the header of its kind") }
    if uncompressedSize > Int(Int32.max) || compressedSize > Int(Int32.max) {
      throw ParquetError("a page is too large")
    }
  }

  /// The first two fields are those of a dictionary's header, too.
  private mutating func readData(_ reader: inout CompactReader) throws {
    try reader.structure { reader, field in
      switch (field.id, field.type) {
      case (1, 5): valueCount = try reader.count("the number of a page's values")
      case (2, 5): encoding = try reader.int()
      case (3, 5): definitionEncoding = try reader.int()
      case (4, 5): repetitionEncoding = try reader.int()
      default: return false
      }
      return true
    }
  }

  private mutating func readDataV2(_ reader: inout CompactReader) throws {
    try reader.structure { reader, field in
      switch (field.id, field.type) {
      case (1, 5): valueCount = try reader.count("the number of a page's values")
      case (4, 5): encoding = try reader.int()
      case (5, 5): definitionBytes = try reader.count("the size of a page's levels")
      case (6, 5): repetitionBytes = try reader.count("the size of a page's levels")
      case (7, 1), (7, 2): isCompressed = field.bool
      default: return false
      }
      return true
    }
  }
}
