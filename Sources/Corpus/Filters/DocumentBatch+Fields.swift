import CSimdjson
import Support

// Fields of a document beside its text.
extension DocumentBatch {
  /// The JSON object around a document, with an empty text in it.
  private func objectWithoutText(at index: Int) -> [UInt8] {
    let envelope = envelopes[index]
    return bytes[envelope.before] + Array("\"\"".utf8) + bytes[envelope.after]
  }

  /// The string in a field, nil where there is none; `a.b` is field b of a.
  package func string(_ field: String, at index: Int) throws -> [UInt8]? {
    if envelopes.isEmpty { return nil }
    var object = objectWithoutText(at: index)
    let length = object.count
    object += repeatElement(0x20, count: pkm_json_padding())
    return object.withUnsafeBytes { object in
      var found = pkm_json_text()
      var reason: UnsafePointer<CChar>?
      let line = object.baseAddress!.assumingMemoryBound(to: CChar.self)
      let status = pkm_json_find_text(line, length, field, &found, &reason)
      guard Int(status) == PKM_JSON_OK else { return nil }
      return Array(UnsafeRawBufferPointer(start: found.text, count: found.length))
    }
  }

  /// Whether the object of a document has such a field.
  package func hasField(_ name: String, at index: Int) throws -> Bool {
    if envelopes.isEmpty { return name == "text" }
    let quoted = Array(JSONText.quote(name).utf8)
    func mentions(_ range: Range<Int>) -> Bool {
      range.contains { bytes[$0] == quoted[0] && bytes[$0..<range.upperBound].starts(with: quoted) }
    }
    let envelope = envelopes[index]
    guard mentions(envelope.before) || mentions(envelope.after) else { return false }
    return try JSONValue(parsing: objectWithoutText(at: index))[name] != nil
  }
}
