import Foundation
import Shards
import TestSupport
import Testing

/// Texts, questions and prompts that go through a trained model: `eval --text`, `eval --choices`, `score`, `generate`.
@Suite(.long, .timeLimit(.minutes(60))) struct ScoreCommandTests {
  private let scratch: Scratch

  /// A model of sentences, trained for some steps.
  init() throws {
    scratch = try Scratch()
    let animals = ["the cat", "a dog", "my uncle", "the old ship"], verbs = ["sees", "follows", "forgets"]
    let lines = (0..<500).map { "\(animals[$0 % 4]) \(verbs[$0 * 7 % 3]) \(animals[($0 * 5 + 1) % 4])." }
    try scratch.write("text.txt", lines.joined(separator: "\n") + "\n")
    try scratch.write(
      "recipe.yaml",
      """
      model: {layers: 2, dim: 32, heads: 2, context: 16}
      train: {batch: 8, steps: 60, lr: 3.0e-3, warmup: 5, packing: document, label_smoothing: 0}
      """)
    for command in [
      "pkm-data learn-bpe --merges 60 -o bpe.json text.txt",
      "pkm-data encode --tokenizer bpe.json -o data/ text.txt",
      "pkm-train train --config recipe.yaml --data data -o run --quiet",
    ] {
      let result = try runShell(command, in: scratch.url)
      #expect(result.status == 0, "\(command): \(result.errors)")
    }
  }

  private func run(_ command: String, _ arguments: String..., input: String? = nil) throws
    -> Subprocess.Result
  {
    try Tool.train.run(
      [command, "--checkpoint", "run", "--quiet"] + arguments, input: input.map { Data($0.utf8) },
      in: scratch.url)
  }

  private func objects(_ result: Subprocess.Result) throws -> [[String: Any]] {
    #expect(result.status == 0, "\(result.errors)")
    return try result.text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  private func number(_ object: [String: Any], _ key: String) throws -> Double {
    try #require(object[key] as? Double, "\(key)")
  }

  /// The sums of `score` are the result of `eval --text`, and that of the dataset with the same text where each document begins
  /// its own sequence; compressed or not, lines or JSON.
  @Test func textsAreScoredOnceAndTheSame() throws {
    let texts = (0..<9).map {
      "the cat sees a dog." + String(repeating: " my uncle forgets é", count: $0 % 3)
    }
    try scratch.write("lines.txt", texts.joined(separator: "\n") + "\n")
    try scratch.write("lines.jsonl", texts.map { "{\"body\": \"\($0)\"}\n" }.joined())
    #expect(try runShell("zstd -q lines.jsonl", in: scratch.url).status == 0)
    let scores = try objects(run("score", "--documents", "line", "--tokens", "lines.txt"))
    #expect(scores.count == 9 && scores.map { $0["line"] as? Int } == (1...9).map { $0 })
    var sum = 0.0, tokens = 0.0
    for (score, text) in zip(scores, texts) {
      let own = try #require(score["token_log_probabilities"] as? [Double])
      #expect(own.count == score["tokens"] as? Int && own.count == (score["token_ids"] as? [Int])?.count)
      #expect(abs(own.reduce(0, +) - (try number(score, "log_probability"))) < 1e-9)
      #expect(
        score["bytes"] as? Int == text.utf8.count
          && score["words"] as? Int == text.split(separator: " ").count)
      sum += try number(score, "log_probability") + number(score, "end_log_probability")
      tokens += Double(own.count + 1)
    }
    for (input, more) in [
      ("lines.txt", ["--documents", "line"]), ("lines.jsonl", ["--text-field", "body"]),
      ("lines.jsonl.zst", ["--text-field", "body"]),
    ] {
      let result = try Tool.train.run(
        ["eval", "--checkpoint", "run", "--quiet", "--json", "--text", input] + more, in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      let object = try #require(
        try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
      #expect(object["documents"] as? Int == 9 && object["tokens"] as? Double == tokens)
      #expect(abs(try number(object, "nll") * tokens + sum) < 1e-4 * abs(sum))
      let words = texts.reduce(0) { $0 + $1.split(separator: " ").count }
      #expect(abs(log(try number(object, "word_perplexity")) * Double(words) + sum) < 1e-4 * abs(sum))
    }
    // One document, in windows that overlap: each token sees more, and is predicted better.
    let long = String(repeating: "the cat sees a dog. my uncle forgets the old ship. ", count: 9)
    try scratch.write("long.txt", long)
    func nll(_ more: String...) throws -> Double {
      let result = try Tool.train.run(
        ["eval", "--checkpoint", "run", "--quiet", "--json", "--text", "long.txt"] + more, in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      return try number(
        #require(JSONSerialization.jsonObject(with: result.output) as? [String: Any]), "nll")
    }
    #expect(try nll("--stride", "4") < nll() && nll() == nll("--stride", "16"))
    #expect(try run("eval", "--text", "long.txt", "--stride", "17").status == 64)
    #expect(try run("eval", "--text", "long.txt", "--data", "data").status == 64)
    #expect(try run("eval", "--stride", "4").status == 64)
    #expect(try run("score", "nowhere.txt").status == 74)
    let average = try run("eval", "--text", "long.txt", "--average")
    #expect(average.status == 64 && average.errors.contains("train.ema"), "\(average.errors)")
  }

  /// The same sums as `score` has for the parts, and the definitions of accuracy.
  @Test func questionsAreAnswered() throws {
    try scratch.write(
      "choices.jsonl",
      """
      {"query": "the cat", "choices": ["sees a dog.", "dog dog dog dog"], "gold": 0}
      {"ctx": "my uncle", "endings": ["xyzzy", "follows the cat."], "label": "1"}

      {"question": "a dog", "choices": {"text": ["forgets", "qq"], "label": ["A", "B"]}, "answerKey": "B"}
      {"text": "the cat sees a dog."}
      """)
    let result = try run("eval", "--choices", "choices.jsonl", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let object = try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
    #expect(object["questions"] as? Int == 3 && object["last_words"] as? Int == 1)
    // The sums by the difference of two documents.
    func sum(_ context: String, _ choice: String) throws -> Double {
      let scores = try objects(
        run("score", "--documents", "line", "--tokens", input: "\(context)\n\(context) \(choice)\n"))
      let all = try scores.map { try #require($0["token_log_probabilities"] as? [Double]) }
      return all[1].dropFirst(all[0].count).reduce(0, +)
    }
    var right = (0, 0)
    for (context, choices, answer) in [
      ("the cat", ["sees a dog.", "dog dog dog dog"], 0), ("my uncle", ["xyzzy", "follows the cat."], 1),
      ("a dog", ["forgets", "qq"], 1),
    ] {
      let sums = try choices.map { try sum(context, $0) }
      let means = zip(sums, choices).map { $0 / Double($1.count) }
      right.0 += sums[answer] > sums[1 - answer] ? 1 : 0
      right.1 += means[answer] > means[1 - answer] ? 1 : 0
    }
    #expect(abs(try number(object, "accuracy") - Double(right.0) / 3) < 1e-9)
    #expect(abs(try number(object, "accuracy_per_character") - Double(right.1) / 3) < 1e-9)
    let word = try sum("the cat sees a", "dog.")
    #expect(abs(log(try number(object, "last_word_perplexity")) + word) < 1e-3)
    try scratch.write("wrong.jsonl", "{\"text\": \"a b\"}\n{\"query\": \"q\", \"choices\": [\"a\", \"b\"]}\n")
    let wrong = try run("eval", "--choices", "wrong.jsonl")
    #expect(wrong.status == 65 && wrong.errors.contains("wrong.jsonl:2: it has no answer"), "\(wrong.errors)")
  }

  @Test func promptsKeepTheirIds() throws {
    try scratch.write(
      "prompts.jsonl",
      "{\"id\": \"é\\\"1\", \"prompt\": \"the cat\"}\n\n{\"id\": 7, \"text\": \"a dog\"}\n{\"prompt\": \"\"}\n"
    )
    let answers = try objects(
      run("generate", "--prompts", "prompts.jsonl", "--samples", "2", "--tokens", "6", "--log-probabilities"))
    #expect(answers.map { $0["prompt"] as? String } == ["the cat", "the cat", "a dog", "a dog", "", ""])
    #expect(answers.prefix(2).allSatisfy { $0["id"] as? String == "é\"1" })
    #expect(answers[2]["id"] as? Int == 7 && answers[4]["id"] == nil)
    #expect(answers[0]["text"] as? String != answers[1]["text"] as? String)
    for answer in answers {
      let count = try #require(answer["tokens"] as? Int)
      #expect((answer["token_ids"] as? [Int])?.count == count)
      #expect((answer["token_log_probabilities"] as? [Double])?.allSatisfy { $0 <= 0 } == true)
      #expect(answer["end"] as? String == (count == 6 ? "length" : "end_of_document"))
    }
    // Side by side the same.
    let together = try objects(
      run(
        "generate", "--prompts", "prompts.jsonl", "--samples", "2", "--tokens", "6", "--log-probabilities",
        "--batch", "4"))
    #expect(together.map { $0["text"] as? String } == answers.map { $0["text"] as? String })
    // The log-probabilities are those of `score`.
    let text = try #require(answers[0]["text"] as? String)
    let scores = try objects(run("score", "--tokens", input: "the cat" + text))
    let ids = try #require(scores[0]["token_ids"] as? [Int]),
      own = try #require(answers[0]["token_ids"] as? [Int])
    if ids.suffix(own.count) == own[...] {
      let right = try #require(scores[0]["token_log_probabilities"] as? [Double]).suffix(own.count)
      let found = try #require(answers[0]["token_log_probabilities"] as? [Double])
      #expect(zip(right, found).allSatisfy { abs($0 - $1) < 1e-3 })
    }
    try scratch.write("wrong.jsonl", "{\"prompt\": \"a\"}\n{\"id\": 1}\n")
    let wrong = try run("generate", "--prompts", "wrong.jsonl")
    #expect(wrong.status == 65 && wrong.errors.contains("wrong.jsonl:2: has no text"), "\(wrong.errors)")
  }

  /// A text ends before the stop, streamed or not.
  @Test func stopsEndATextBeforeThem() throws {
    let whole = String(try run("generate", "--temperature", "0", "--tokens", "30", "the cat").text.dropLast())
    let written = whole.dropFirst("the cat".count)
    let stop = String(written.dropFirst(3).prefix(2))
    let end = try #require(written.firstRange(of: stop)?.lowerBound)
    for batch in ["1", "2"] {
      let stopped = try run(
        "generate", "--temperature", "0", "--tokens", "30", "--batch", batch, "--stop", stop, "the cat")
      #expect(stopped.text == whole[..<end] + "\n")
    }
    let json = try objects(
      run("generate", "--temperature", "0", "--tokens", "30", "--json", "--stop", stop, "the cat"))
    #expect(json[0]["end"] as? String == "stop")
    #expect(json[0]["text"] as? String == String(written[..<end]))
    for wrong in [
      ["--stop", ""], ["--min-p", "1.5"], ["--samples", "0"], ["--repetition-penalty", "0"],
      ["--log-probabilities"],
      ["--temperature", "0", "--min-p", "0.1"],
    ] {
      #expect(
        try Tool.train.run(["generate", "--checkpoint", "run"] + wrong + ["a"], in: scratch.url).status == 64)
    }
    // A penalty keeps a greedy text from going round.
    let varied = try run(
      "generate", "--temperature", "0", "--tokens", "30", "--repetition-penalty", "3", "the cat")
    #expect(varied.status == 0 && varied.text != whole + "\n")
  }
}
