import Foundation

/// Decodes the JSON of a file whose numbers may not be believed: every error names the file and the key.
///
/// Foundation calls JSON with a number that does not fit "not valid JSON" and does not say where it stands, so the
/// number is looked for here.
package enum JSONDecoding {
  /// What the files of this package count: a JSON number beyond it is no longer exact.
  package static let counts = 0...1 << 53

  /// Throws a ``Failure`` of bad input. `counts` is what a whole number of the file may be.
  package static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], file: String, counts: ClosedRange<Int> = counts, remedy: String
  ) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch let error as DecodingError {
      throw failure(error, type, bytes, file: file, counts: counts, remedy: remedy)
    }
  }

  private static func failure<Value: Decodable>(
    _ error: DecodingError, _ type: Value.Type, _ bytes: [UInt8], file: String, counts: ClosedRange<Int>,
    remedy: String
  ) -> Failure {
    func failure(_ message: String) -> Failure { Failure(.badInput, message, file: file, remedy: remedy) }
    switch error {
    case .keyNotFound(let key, let context):
      let place = path(context.codingPath)
      return failure(
        "the key \"\(key.stringValue)\" is missing" + (place.isEmpty ? "" : " (in \(place))"))
    case .typeMismatch(let wanted, let context), .valueNotFound(let wanted, let context):
      return failure("\(name(context)) is not \(noun(for: wanted))")
    case .dataCorrupted(let context):
      if !context.codingPath.isEmpty {
        return failure("the value of \(name(context)) is not known: \(context.debugDescription)")
      }
      do {
        if let problem = try misfit(type, bytes, counts) { return failure(problem) }
        _ = try JSONValue(parsing: bytes, file: file)
        return failure("not valid JSON")
      } catch { return (error as? Failure).map { failure($0.message) } ?? failure("not valid JSON") }
    @unknown default: return failure("not valid JSON")
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce("") { path, key in
      if let index = key.intValue, key.stringValue.hasPrefix("Index") { return "\(path)[\(index)]" }
      return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
    }
  }

  private static func name(_ context: DecodingError.Context) -> String {
    let path = path(context.codingPath)
    return path.isEmpty ? "the whole" : Terminal.maskedLine(path)
  }

  private static func noun(for type: Any.Type) -> String {
    switch type {
    case is any BinaryInteger.Type: "a whole number"
    case is any FloatingPoint.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "a string"
    case is any RangeReplaceableCollection.Type: "a list"
    default: "an object"
    }
  }

  /// The number that keeps the type from being decoded, its key and what it may be; nil if it is not a number.
  private static func misfit<Value: Decodable>(
    _ type: Value.Type, _ bytes: [UInt8], _ counts: ClosedRange<Int>
  ) throws -> String? {
    var numbers: [(key: String, range: Range<Int>)] = []
    try JSONReader.read(bytes) { reader in
      try reader.forEachNumber { key, range in
        if Int(String(decoding: bytes[range], as: UTF8.self)) == nil || bytes[range.lowerBound] == 0x2d {
          numbers.append((key, range))
        }
      }
    }
    /// Whether the text decodes with `text` in place of one of the numbers, and 1 in place of the others.
    func decodes(with text: String, at place: Int) -> Bool {
      var changed: [UInt8] = []
      var end = 0
      for (index, number) in numbers.enumerated() {
        changed += bytes[end..<number.range.lowerBound] + Array((index == place ? text : "1").utf8)
        end = number.range.upperBound
      }
      return (try? JSONDecoder().decode(type, from: Data(changed + bytes[end...]))) != nil
    }
    // A file of ours has few such numbers; one with many is not worth the search.
    for (index, number) in numbers.prefix(1000).enumerated() {
      let text = String(decoding: bytes[number.range], as: UTF8.self)
      if decodes(with: text, at: index) { continue }
      guard decodes(with: "1", at: index) else { return nil }
      let shown = Terminal.maskedLine("\(number.key) is \(text.prefix(40))")
      if decodes(with: "0.5", at: index) { return "\(shown), and must be a number of at most 1e308" }
      let isHash = decodes(with: "\(UInt64.max)", at: index)
      return "\(shown), and must be a whole number between \(counts.lowerBound) and "
        + (isHash ? "\(UInt64.max)" : "\(counts.upperBound)")
    }
    return nil
  }
}
