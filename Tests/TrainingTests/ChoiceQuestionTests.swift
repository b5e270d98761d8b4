import Foundation
import Support
import Testing

@testable import Training

@Suite(.timeLimit(.minutes(60))) struct ChoiceQuestionTests {
  private func question(_ json: String) throws -> ChoiceQuestion {
    try ChoiceQuestion(JSONValue(parsing: Array(json.utf8)))
  }

  @Test(
    arguments: [
      (#"{"query": "Q", "choices": ["a", "b"], "gold": 1}"#, "Q", ["a", "b"], 1),
      (#"{"context": "C", "endings": ["a", "b", "c"], "label": "2"}"#, "C", ["a", "b", "c"], 2),
      (
        #"{"question": "Q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}"#, "Q",
        ["x", "y"], 1
      ),
      (
        #"{"question": "Q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "1"}"#, "Q",
        ["x", "y"], 0
      ),
      // HellaSwag, as the harness prepares it.
      (
        #"{"activity_label": "Cleaning", "ctx_a": "He wets [step] it.", "ctx_b": "he Dries", "ctx": "x", "endings": [" up [title] now", "a  b"], "label": 0}"#,
        "Cleaning: He wets it. He dries", ["up. now", "a b"], 0
      ), (#"{"text": "It was a dark night"}"#, "It was a dark", ["night"], nil),
    ] as [(String, String, [String], Int?)]) func linesAreRead(_ line: (String, String, [String], Int?))
    throws
  {
    let question = try question(line.0)
    #expect(question.context == line.1 && question.choices == line.2 && question.answer == line.3)
  }

  @Test(arguments: [
    (#"{"a": 1}"#, "neither choices (or endings) nor a text"), (#"{"text": "word"}"#, "no space"),
    (#"{"query": "Q", "choices": ["a"], "gold": 0}"#, "two or more"),
    (#"{"query": "Q", "choices": ["a", 1], "gold": 0}"#, "two or more"),
    (#"{"query": "Q", "choices": ["a", "b"]}"#, "no answer"),
    (#"{"query": "Q", "choices": ["a", "b"], "gold": 2}"#, "none of its 2 choices"),
    (#"{"choices": ["a", "b"], "gold": 0}"#, "no context"), ("[]", "neither"),
  ]) func whatIsMissingIsNamed(line: String, message: String) throws {
    let failure = #expect(throws: Failure.self) { try question(line) }
    #expect(failure?.message.contains(message) == true)
  }

  /// A tokenizer of three bytes a token shows where the cut is.
  @Test func theContinuationIsWhatTheWholeAddsToTheContext() throws {
    let encode: (String) -> [UInt32] = { text in
      stride(from: 0, to: text.utf8.count, by: 3).map { UInt32($0) + UInt32(text.utf8.count) << 16 }
    }
    let question = try question(#"{"query": "abcd  ", "choices": ["ef", "g"], "gold": 0}"#)
    let found = question.tokens(ofChoice: 0, encode)
    #expect(found.context == encode("abcd") && found.continuation == Array(encode("abcd   ef").dropFirst(2)))
  }

  /// The first choice has the larger sum, the second the larger sum per character.
  @Test func resultsCountBothWays() throws {
    var result = ChoiceResult()
    let two = try question(#"{"query": "Q", "choices": ["é", "abc"], "gold": 1}"#)
    result.add(two, [(-4, false), (-6, false)])
    #expect((result.questions, result.right, result.rightPerCharacter) == (1, 0, 1))
    result.add(two, [(-4, false), (-3, false)])
    #expect(result.accuracy == 0.5 && result.accuracyPerCharacter == 1)
    let word = try question(#"{"text": "a b"}"#)
    result.add(word, [(-1, true)])
    result.add(word, [(-3, false)])
    #expect(result.wordAccuracy == 0.5 && abs(result.wordPerplexity - exp(2)) < 1e-12)
    #expect(result.questions == 2)
  }
}
