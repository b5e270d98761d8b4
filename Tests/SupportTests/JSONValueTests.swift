import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct JSONValueTests {
  @Test func readsWhatFoundationReads() throws {
    let text = #"""
      {"a": [1, -2.5, 1e3, 123456789012345678, true, false, null, "x", [], {}], "é\u00e9\ud83d\ude00\n\"\\\/": {"b": ""},
       "empty": [ ] , "c":{"d":{"e":[[[0]]]}}}
      """#
    let ours = try JSONValue(parsing: Array(text.utf8))
    #expect(
      (plain(ours) as! NSDictionary)
        == (try JSONSerialization.jsonObject(with: Data(text.utf8)) as! NSDictionary))
    #expect(ours["a"]?.array?.count == 10 && ours["empty"]?.array == [] && ours["none"] == nil)
  }

  private func plain(_ value: JSONValue) -> Any {
    switch value {
    case .null: NSNull()
    case .bool(let value): value
    case .number(let value): value
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    case .array(let values): values.map(plain)
    case .object(let members):
      Dictionary(
        uniqueKeysWithValues: members.map { (String(decoding: $0.key, as: UTF8.self), plain($0.value)) })
    }
  }

  @Test func halfASurrogatePairIsReplaced() throws {
    #expect(
      try JSONValue(parsing: Array(#""\ud83dx\udc00\ud83d\u0041""#.utf8)).string
        == "\u{fffd}x\u{fffd}\u{fffd}A")
  }

  @Test(arguments: [
    "", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"open", "\"\\x\"", "\"\\u12\"", "tru", "1 2",
    "-", "[1,]",
    "{\"a\":1,}", "nul", "\"\\",
  ])
  func refusesWhatIsBroken(text: String) {
    #expect(throws: Failure.self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func deepNestingIsRefusedNotFatal() {
    #expect(throws: Failure.self) {
      try JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))
    }
  }
}
