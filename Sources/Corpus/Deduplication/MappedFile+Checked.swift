import Support

extension MappedFile {
  /// Maps a file of the state of a job; throws unless it has this length and, where it is known, this XXH64.
  static func checked(_ path: String, bytes: Int, checksum: UInt64?) throws -> MappedFile {
    let file = try MappedFile(path, access: .random)
    func changed(_ message: String) -> Failure {
      Failure(.badInput, message, file: path, remedy: SpanManifest.remedy)
    }
    guard file.bytes.count == bytes else {
      throw changed("has \(file.bytes.count) bytes, and was written with \(bytes)")
    }
    guard let checksum else { return file }
    let hash = StreamingXXH64()
    for start in stride(from: 0, to: bytes, by: 16 << 20) {
      try Interruption.check()
      hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(bytes, start + 16 << 20)]))
      file.releasePages()
    }
    guard hash.digest == checksum else {
      throw changed("was changed after it was written: its checksum does not fit")
    }
    return file
  }
}
