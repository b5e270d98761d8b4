import Support

// The fields of a document other than its text.
extension DocumentBatch {
  /// The JSON object of a document, with an empty text.
  private func objectWithoutText(at index: Int) -> [UInt8] {
    let envelope = envelopes[index]
    return bytes[envelope.before] + Array("\"\"".utf8) + bytes[envelope.after]
  }

  /// The string in a field; nil if there is none. `a.b` is field b of object a.
  package func string(_ field: String, at index: Int) throws -> [UInt8]? {
    if envelopes.isEmpty { return nil }
    var object = objectWithoutText(at: index)
    let length = object.count
    object += repeatElement(0x20, count: JSONLine.padding)
    return object.withUnsafeBytes { object in
      let line = UnsafeRawBufferPointer(rebasing: object[..<length])
      guard case .success(let text) = JSONLine.findText(in: field, of: line) else { return nil }
      return Array(UnsafeRawBufferPointer(start: text.text, count: text.length))
    }
  }

  /// Whether the JSON object of a document has a field of this name.
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
