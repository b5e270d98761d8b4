import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DecontaminatorTests {
  private static func words(_ text: String) -> [String] {
    let key = ComparisonKey()
    let bytes = Array(text.utf8).withUnsafeBytes { key.key(of: $0) }
    return String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init)
  }

  private static func ngrams(_ words: [String], _ n: Int) -> [[String]] {
    words.count < n ? [] : (0...(words.count - n)).map { Array(words[$0..<($0 + n)]) }
  }

  private static func match(_ decontaminator: Decontaminator, _ text: String) -> Decontaminator.Match? {
    var worker = Decontaminator.Worker(decontaminator)
    return Array(text.utf8).withUnsafeBytes { worker.match(in: $0) }
  }

  @Test(arguments: [1, 2, 5, 13])
  func agreesWithSetsOfStrings(n: Int) {
    var random = RandomGenerator(seed: UInt64(n))
    let vocabulary = (0..<12).map { "Word\($0 % 10 == 0 ? "é" : "")x\(Character(UnicodeScalar(97 + $0)!))" }
    func text(_ count: Int) -> String {
      (0..<count).map { _ in vocabulary[random.below(vocabulary.count)] }
        .joined(separator: [" ", ", ", "\n"][random.below(3)])
    }
    var found = 0
    for _ in 0..<40 {
      let evaluationTexts = (0..<5).map { _ in text(random.below(3 * n + 2)) }
      var evaluation = EvaluationSet(ngram: n)
      for (index, text) in evaluationTexts.enumerated() {
        Array(text.utf8).withUnsafeBytes { evaluation.add($0, at: .init(file: "e", line: index + 1)) }
      }
      let known = Set(evaluationTexts.flatMap { Self.ngrams(Self.words($0), n) })
      let decontaminator = Decontaminator(evaluation)
      #expect(decontaminator.ngramCount == known.count)
      #expect(evaluation.shortTextCount == evaluationTexts.count { Self.words($0).count < n })
      for _ in 0..<20 {
        var document = text(random.below(60))
        let planted = Self.words(evaluationTexts[random.below(5)])
        if random.below(2) == 0 && planted.count >= n {
          document += " " + planted[random.below(planted.count - n + 1)...].joined(separator: "! ") + " "
        }
        document += text(random.below(20))
        let ngrams = Self.ngrams(Self.words(document), n)
        let shared = ngrams.filter(known.contains)
        let match = Self.match(decontaminator, document)
        guard let match else {
          #expect(shared.isEmpty)
          continue
        }
        found += 1
        #expect(match.ngrams == ngrams.count && match.sharedNgrams == shared.count)
        let named = decontaminator.ngram(of: match)
        #expect(named == shared.first?.joined(separator: " "))
        let line = decontaminator.location(of: match).line
        #expect(Self.ngrams(Self.words(evaluationTexts[line - 1]), n).contains(shared[0]))
      }
    }
    #expect(found > 100)
  }

  @Test func findsRunsAcrossChunks() {
    let secret = (0..<13).map { "secret\(Character(UnicodeScalar(97 + $0)!))" }.joined(separator: " ")
    var evaluation = EvaluationSet(ngram: 13)
    Array(secret.utf8).withUnsafeBytes { evaluation.add($0, at: .init(file: "e", line: 1)) }
    let decontaminator = Decontaminator(evaluation)
    for padding in stride(from: 32_600, through: 32_800, by: 7) {
      let before = String(repeating: "a b ", count: padding / 4) + String(repeating: "c", count: padding % 4)
      #expect(Self.match(decontaminator, before + " " + secret.uppercased() + " after")?.sharedNgrams == 1)
      #expect(Self.match(decontaminator, before + secret.dropLast(2)) == nil)
    }
  }

  @Test func readsAllStringsOfEvaluationFiles() throws {
    let scratch = try Scratch()
    let json = try scratch.write(
      "e.jsonl",
      """
      {"question":"one two three four","choices":["five six seven","x"],"meta":{"source":"eight nine ten eleven"}}
      not json
      {"text":"The text, alone and long"}
      """)
    let text = try scratch.write("e.txt", "plain words here\n\nshort line\n")
    var all = EvaluationSet(ngram: 3)
    try all.add(files: [json, text], options: ReaderOptions(), textField: nil)
    #expect(all.locations.map(\.line) == [1, 1, 1, 3, 1])
    #expect(all.locations.map { Path.name(of: $0.file) } == Array(repeating: "e.jsonl", count: 4) + ["e.txt"])
    #expect(all.counts.count(.jsonLinesBroken) == 1 && all.warnings.count == 1)
    #expect(all.shortTextCount == 3)
    var one = EvaluationSet(ngram: 3)
    try one.add(files: [json], options: ReaderOptions(), textField: "text")
    #expect(one.locations.map(\.line) == [3])
    #expect(throws: Failure.self) {
      var strict = EvaluationSet(ngram: 3)
      try strict.add(files: [json], options: ReaderOptions(isStrict: true), textField: nil)
    }
  }

  /// The table is made in place, whatever the number of texts.
  @Test(.long) func growsLinearlyInEvaluationTexts() {
    var seconds: [Double] = []
    for count in [2000, 20_000] {
      var evaluation = EvaluationSet(ngram: 5)
      for text in 0..<count {
        let words = (0..<20).map { "w\(text * 20 + $0)x" }.joined(separator: " ")
        Array(words.utf8).withUnsafeBytes { evaluation.add($0, at: .init(file: "e", line: text + 1)) }
      }
      let started = Progress.now()
      _ = Decontaminator(evaluation)
      seconds.append(Progress.now() - started)
    }
    #expect(seconds[1] < 30 * max(seconds[0], 0.01), "\(seconds)")
  }

  @Test func handlesAdversarialDocuments() {
    var evaluation = EvaluationSet(ngram: 13)
    let same = String(repeating: "same ", count: 100_000)
    Array(same.utf8).withUnsafeBytes { evaluation.add($0, at: .init(file: "e", line: 1)) }
    let decontaminator = Decontaminator(evaluation)
    #expect(decontaminator.ngramCount == 1)
    #expect(Self.match(decontaminator, "") == nil && Self.match(decontaminator, "same") == nil)
    let match = Self.match(decontaminator, same)
    #expect(match?.sharedNgrams == 100_000 - 12 && match?.ngrams == 100_000 - 12)
    #expect(Self.match(Decontaminator(EvaluationSet(ngram: 13)), same) == nil)
  }
}
