import CBytes

/// Quoting for the JSON that we write by hand because the order of its keys matters.
package enum JSONText {
  package static func quote(_ text: String) -> String {
    var out: [UInt8] = []
    var text = text
    text.withUTF8 { quote(UnsafeRawBufferPointer($0), into: &out) }
    return String(decoding: out, as: UTF8.self)
  }

  /// Appends UTF-8 text as a JSON string.
  ///
  /// Control characters and the two that JSON reserves are escaped, nothing else.
  package static func quote(_ text: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    // Some of the text at a time: it may grow to six times its length, and hardly ever does.
    var rest = text[...]
    withUnsafeTemporaryAllocation(
      of: UInt8.self, capacity: escapedPiece * Int(PKM_JSON_ESCAPE_GROWTH) + Int(PKM_JSON_ESCAPE_SLACK)
    ) { room in
      while !rest.isEmpty {
        let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(escapedPiece))
        let length = pkm_json_escape(
          piece.baseAddress!.assumingMemoryBound(to: UInt8.self), piece.count, room.baseAddress!)
        out.append(contentsOf: room[..<length])
        rest = rest.dropFirst(piece.count)
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  private static let escapedPiece = 1 << 10
}
