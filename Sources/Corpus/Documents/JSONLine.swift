import CSimdjson
import Support

/// A line of JSON, parsed by simdjson.
enum JSONLine {
  /// Bytes that must be readable after every line given to the functions below.
  static let padding = pkm_json_padding()
  /// The parser keeps buffers of the size of the longest line it has seen. Those for longer lines than this are freed.
  static let longestBuffered = 8 << 20

  enum Problem: Error {
    /// The line is not a JSON object, for this reason.
    case broken(String)
    case fieldMissing
    case notAString
  }

  static func isObject(_ line: UnsafeRawBufferPointer) -> Bool {
    defer { freeBuffers(ofLineWith: line.count) }
    return pkm_json_is_object(line.baseAddress?.assumingMemoryBound(to: CChar.self), line.count)
  }

  /// Finds the string in a field of the object: `a.b` is the field of that name or, where there is none, field `b` of
  /// object `a`.
  ///
  /// Of several top-level fields of that name the last one counts, as for Python, JavaScript and jq, which would otherwise
  /// read a text that we have not cleaned.
  ///
  /// The decoded text is valid until the next call on this thread, or until ``freeBuffers(ofLineWith:)``.
  static func findText(
    in field: String, of line: UnsafeRawBufferPointer
  ) -> Result<pkm_json_text, Problem> {
    var text = pkm_json_text()
    var reason: UnsafePointer<CChar>?
    let start = line.baseAddress!.assumingMemoryBound(to: CChar.self)
    switch Int(pkm_json_find_text(start, line.count, field, &text, &reason)) {
    case PKM_JSON_OK: return .success(text)
    case PKM_JSON_BROKEN: return .failure(.broken(String(cString: reason!)))
    case PKM_JSON_NOT_TEXT: return .failure(.notAString)
    default: return .failure(.fieldMissing)
    }
  }

  /// To be called when the text of a line of `length` bytes is no longer needed.
  static func freeBuffers(ofLineWith length: Int) {
    if length > longestBuffered { pkm_json_free_buffers() }
  }
}
