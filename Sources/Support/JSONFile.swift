import Foundation

/// JSON of `Codable` values: indented, with sorted keys, so that equal values have equal bytes.
package enum JSONFile {
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

  /// Reads a file that this program has written.
  package static func read<Value: Decodable>(
    _ type: Value.Type, from path: String, remedy: String = "Remove the directory and run again"
  ) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(MappedFile.read(path))) } catch let error
      as DecodingError
    {
      throw Failure(
        .badInput, "is not a file that this program wrote: \(error)", file: path, remedy: remedy)
    }
  }
}
