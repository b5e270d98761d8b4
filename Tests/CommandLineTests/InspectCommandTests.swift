import Foundation
import Shards
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct InspectCommandTests {
  @Test func datasets() throws {
    let scratch = try Scratch()
    let index = try SampleDataset.write(scratch.path("d"))
    let text = try Tool.data("inspect", scratch.path("d"))
    #expect(
      text.status == 0 && text.text.contains("documents by length in tokens") && text.text.contains("█"))
    let json = try Tool.data("inspect", "--json", scratch.path("d"))
    let value = try #require(JSONSerialization.jsonObject(with: json.output) as? [String: Any])
    let splits = try #require(value["splits"] as? [String: [String: Any]])
    #expect(splits["train"]?["tokens"] as? Int == index.splits["train"]?.tokens)
    #expect((value["counts"] as? [String: Any])?["vocabulary_size"] as? Int == 300)
    let lengths = try #require(value["lengths"] as? [String: Any])
    let classes = try #require(lengths["classes"] as? [[String: Any]])
    #expect(classes.reduce(0) { $0 + ($1["documents"] as? Int ?? 0) } == 500)
  }

  @Test func corpora() throws {
    let scratch = try Scratch()
    let file = try scratch.write("a.txt", "one two\n\nthree\u{1}\n")
    let json = try Tool.data("inspect", "--json", "--summary", scratch.path("summary.json"), file)
    #expect(try readSummary(scratch.path("summary.json"))["documents"] as? Int == 3)
    let value = try #require(JSONSerialization.jsonObject(with: json.output) as? [String: Any])
    let counts = try #require(value["counts"] as? [String: Any])
    #expect(counts["documents"] as? Int == 3 && counts["words"] as? Int == 3)
    #expect(value["sample"] as? String == "one two")
    #expect(try Tool.data("inspect", scratch.path("none")).status == 74)
  }

  @Test func jsonOfACorpusAndADataset() throws {
    let scratch = try Scratch()
    let file = try scratch.write("c.txt", "one two three\none two three\n\nfour\n")
    let classes =
      #"{"from": 0, "to": 0, "documents": 1}, {"from": 4, "to": 7, "documents": 1}, "#
      + #"{"from": 8, "to": 15, "documents": 2}"#
    #expect(
      try Tool.data("inspect", "--json", file).text == """
        {
          "counts": {
            "kind": "corpus",
            "path": "\(file)",
            "documents": 4,
            "words": 7,
            "text_bytes": 30,
            "bytes_in": 34
          },
          "lengths": {"unit": "bytes", "shortest": 0, "longest": 13, "classes": [\(classes)]},
          "sample": "one two three"
        }

        """)
    let tokenizer = scratch.path("bpe.json")
    #expect(try Tool.data("learn-bpe", file, "--merges", "0", "-o", tokenizer).status == 0)
    #expect(try Tool.data("encode", file, "--tokenizer", tokenizer, "-o", scratch.path("d/")).status == 0)
    #expect(
      try Tool.data("inspect", "--json", scratch.path("d")).text.hasSuffix(
        """
          },
          "splits": {"train": {
            "documents": 4,
            "tokens": 34,
            "words": 7,
            "text_bytes": 30,
            "bytes_per_token": 1.0,
            "tokens_per_word": 4.285714285714286
          }},
          "lengths": {"unit": "tokens", "shortest": 0, "longest": 13, "classes": [\(classes)]},
          "sample": "one two three"
        }

        """))
  }

  @Test func tokenizersAndTheFirstDocument() throws {
    let scratch = try Scratch()
    let text = try scratch.write("a.txt", "she sells sea shells\n\u{1b}[31mby the sea shore\n")
    #expect(try Tool.data("learn-bpe", text, "--merges", "20", "-o", scratch.path("bpe.json")).status == 0)
    let tokenizer = try Tool.data("inspect", scratch.path("bpe.json"))
    #expect(tokenizer.status == 0, "\(tokenizer.errors)")
    for part in ["byte-level", "longest tokens", "<|endoftext|>", "tokens by length in bytes"] {
      #expect(tokenizer.text.contains(part))
    }
    let encode = try Tool.data(
      "encode", text, "--tokenizer", scratch.path("bpe.json"), "-o", scratch.path("d/"))
    #expect(encode.status == 0, "\(encode.errors)")
    let dataset = try Tool.data("inspect", scratch.path("d"))
    #expect(dataset.text.contains("she sells sea shells"))
    #expect(try Tool.data("inspect", scratch.write("b.json", "{}")).status == 65)
    // A terminal is not at the mercy of a text.
    let corpus = try Tool.data("inspect", scratch.write("c.txt", "\u{1b}[31mred\n"))
    #expect(corpus.status == 0 && !corpus.text.contains("\u{1b}"))
  }
}
