/// The ids of documents, or of a part of one, in the format of shards: little-endian, two or four bytes each.
package struct PackedBatch: Sendable {
  package var bytes: [UInt8] = []
  /// The number of ids of each document.
  package var counts: [Int] = []
  /// The number of ids that are ``Tokenizer/unknown``.
  package var unknown = 0

  /// The bytes of ids in shards: little-endian, `tokenBytes` (two or four) bytes for each id.
  package static func pack(_ ids: UnsafeBufferPointer<UInt32>, tokenBytes: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: ids.count * tokenBytes) { buffer, count in
      count = ids.count * tokenBytes
      if tokenBytes == 2 {
        let output = UnsafeMutableRawBufferPointer(buffer).bindMemory(to: UInt16.self)
        for index in 0..<ids.count { output[index] = UInt16(truncatingIfNeeded: ids[index]).littleEndian }
      } else {
        let output = UnsafeMutableRawBufferPointer(buffer).bindMemory(to: UInt32.self)
        for index in 0..<ids.count { output[index] = ids[index].littleEndian }
      }
    }
  }
}
