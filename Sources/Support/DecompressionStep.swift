/// What one call of a streaming decompressor has done.
struct DecompressionStep {
  /// Bytes of input.
  var consumed: Int
  /// Bytes of output.
  var produced: Int
  /// The member or frame has ended; ``problem`` says if its checksum is wrong.
  var isAtEnd: Bool
  /// Why the rest of the member or frame cannot be decompressed. The output so far has shown no error.
  var problem: String?
}
