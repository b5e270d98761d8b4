import Foundation
import Support

/// The JSON file in which a stage of deduplication describes its finished result.
///
/// A stage writes its manifest last, so a directory with a manifest holds the whole result.
enum ManifestFile {
  static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = try OutputFile(path)
    try file.write(Array(encoder.encode(value)) + [0x0a])
    try file.finish()
  }

  static func read<Value: Decodable>(_ type: Value.Type, from path: String) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(MappedFile.read(path))) } catch let error
      as DecodingError
    {
      throw Failure(
        .badInput, "is not a file that this program wrote: \(error)", file: path,
        remedy: "Remove the directory and run again")
    }
  }
}
