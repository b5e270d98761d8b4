import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct JSONWriterTests {
  private func written(_ layout: JSONWriter.Layout) -> String {
    var json = JSONWriter()
    json.object(layout) {
      $0.member("text", "a \"word\"\n")
      $0.member("count", 3)
      $0.member("rate", 0.5)
      $0.member("isGood", true)
      $0.key("list")
      $0.array(layout) { for number in 1...2 { $0.value(number) } }
      $0.key("none")
      $0.object(layout) { _ in }
    }
    return json.text
  }

  @Test func compact() {
    #expect(
      written(.compact)
        == #"{"text":"a \"word\"\n","count":3,"rate":0.5,"isGood":true,"list":[1,2],"none":{}}"#)
  }

  @Test func spaced() {
    #expect(
      written(.spaced)
        == #"{"text": "a \"word\"\n", "count": 3, "rate": 0.5, "isGood": true, "list": [1, 2], "none": {}}"#)
  }

  @Test func lines() {
    #expect(
      written(.lines) == #"""
        {
          "text": "a \"word\"\n",
          "count": 3,
          "rate": 0.5,
          "isGood": true,
          "list": [
            1,
            2
          ],
          "none": {}
        }
        """#)
  }

  @Test func numbersThatJSONDoesNotHaveBecomeNull() {
    var json = JSONWriter()
    json.array { for number in [Double.nan, .infinity, -1e300] { $0.value(number) } }
    #expect(json.text == "[null,null,-1e+300]")
  }

  @Test func bytesThatTheCallerWrites() {
    var json = JSONWriter()
    json.object(.spaced) { json in
      json.key { $0 += Array("\"a\"".utf8) }
      json.array { json in
        json.value { $0 += Array("1e5".utf8) }
        json.null()
      }
      json.nullMember("b")
    }
    #expect(json.text == #"{"a": [1e5,null], "b": null}"#)
  }

  @Test func linesOfEmbeddedJSONAreIndented() {
    var json = JSONWriter()
    json.object(.lines) { $0.member("inner", json: "{\n  \"a\": 1\n}") }
    #expect(json.text == "{\n  \"inner\": {\n    \"a\": 1\n  }\n}")
  }
}
