import Foundation

/// JSON of `Codable` values: indented, with sorted keys, so that equal values have equal bytes.
package enum JSONFile {
  private struct Seal: Decodable { var checksum: String? }

  /// The text without a last line feed.
  package static func bytes(of value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// Writes a file, which ends with a line feed.
  package static func write(_ value: some Encodable, to path: String) throws {
    let file = try OutputFile(path)
    try file.write(bytes(of: value) + [0x0a])
    try file.finish()
  }

  /// Writes a file with a checksum of its own: the member `checksum`, which is the XXH3 of the JSON without it.
  package static func writeSealed(_ value: some Encodable, to path: String) throws {
    let file = try OutputFile(path)
    let bytes = try bytes(of: value)
    let seal = Array(
      "{\n  \"checksum\" : \"\(Hashing.hexadecimal(bytes.withUnsafeBytes { Hashing.xxh3($0) }))\",".utf8)
    try file.write(seal + bytes.dropFirst() + [0x0a])
    try file.finish()
  }

  /// Reads a file of ``writeSealed(_:to:)``.
  ///
  /// `validate` checks the numbers, so that a message can name the one that is wrong; after it the checksum is
  /// compared.
  package static func readSealed<Value: Codable>(
    _ type: Value.Type, from path: String, remedy: String = "Remove the directory and run again",
    _ validate: (Value) throws -> Void
  ) throws -> Value {
    let value = try read(type, from: path, remedy: remedy)
    try validate(value)
    let checksum = Hashing.hexadecimal(try bytes(of: value).withUnsafeBytes { Hashing.xxh3($0) })
    guard try read(Seal.self, from: path, remedy: remedy).checksum == checksum else {
      throw Failure(
        .badInput, "was changed after it was written: its checksum does not fit", file: path, remedy: remedy)
    }
    return value
  }

  /// Reads a file that this program has written.
  package static func read<Value: Decodable>(
    _ type: Value.Type, from path: String, remedy: String = "Remove the directory and run again"
  ) throws -> Value {
    try JSONDecoding.decode(type, from: MappedFile.read(path), file: path, remedy: remedy)
  }
}
