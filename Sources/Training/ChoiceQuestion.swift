import Foundation
import Support

/// A line of a test with choices, or of one whose last word is to be found.
///
/// Choices are scored as the field does (lm-evaluation-harness): each follows the context after a space, and the best is the
/// one with the largest log-probability, as it is or per character.
package struct ChoiceQuestion: Equatable {
  package let context: String
  /// Without the space before them; the last word alone where that is to be found.
  package let choices: [String]
  /// The index of the right choice; nil where the last word is to be found.
  package let answer: Int?

  private static let contexts = ["query", "ctx", "context", "question"]
  private static let lists = ["choices", "endings"]
  private static let answers = ["gold", "label", "answer", "answerKey"]

  /// Reads the JSON object of a line:
  ///
  /// - context (`query`, `ctx`, `context` or `question`), choices (`choices` or `endings`, a list of texts, or an object with
  ///   the lists `text` and `label`) and the answer (`gold`, `label`, `answer` or `answerKey`: the index from 0, also as text,
  ///   or one of the labels); HellaSwag's own fields are joined and cleaned first;
  /// - or `text` alone, whose last word after a space is to be found (LAMBADA).
  ///
  /// Throws a ``Failure`` whose message says what is missing.
  package init(_ object: JSONValue) throws(Failure) {
    func failure(_ message: String) -> Failure { Failure(.badInput, message) }
    if let list = Self.lists.lazy.compactMap({ object[$0] }).first {
      let texts = list.array ?? list["text"]?.array
      guard let choices = texts?.compactMap(\.string), choices.count == texts?.count, choices.count > 1 else {
        throw failure("its choices are no list of two or more texts")
      }
      let labels = list["label"]?.array?.map { $0.string ?? $0.count.map(String.init) ?? "" }
      guard let given = Self.answers.lazy.compactMap({ object[$0] }).first else {
        throw failure("it has no answer (gold, label, answer or answerKey)")
      }
      let name = given.string ?? given.count.map(String.init) ?? ""
      guard let answer = labels?.firstIndex(of: name) ?? Int(name), choices.indices.contains(answer) else {
        throw failure("its answer \"\(name)\" is none of its \(choices.count) choices")
      }
      self.answer = answer
      if object["query"] == nil, let activity = object["activity_label"]?.string,
        let a = object["ctx_a"]?.string, let b = object["ctx_b"]?.string
      {
        context = Self.cleaned("\(activity): \(a) \(Self.capitalized(b))")
        self.choices = choices.map(Self.cleaned)
        return
      }
      guard let context = Self.contexts.lazy.compactMap({ object[$0]?.string }).first else {
        throw failure("it has no context (query, ctx, context or question)")
      }
      (self.context, self.choices) = (context, choices)
    } else if let text = object["text"]?.string {
      guard let space = text.lastIndex(of: " "), space != text.startIndex else {
        throw failure("its text has no space before a last word")
      }
      (context, choices, answer) = (String(text[..<space]), [String(text[text.index(after: space)...])], nil)
    } else {
      throw failure("it has neither choices (or endings) nor a text")
    }
  }

  /// As the harness prepares HellaSwag, whose texts come from WikiHow.
  static func cleaned(_ text: String) -> String {
    text.trimmingCharacters(in: .whitespacesAndNewlines).replacingOccurrences(of: " [title]", with: ". ")
      .replacing(#/\[.*?\]/#, with: "").replacingOccurrences(of: "  ", with: " ")
  }

  /// The first letter large, the others small.
  private static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst().lowercased()
  }

  /// The tokens of the context and of a choice after it. Spaces at the end of the context belong to what follows, as they do
  /// where the whole is encoded.
  package func tokens(ofChoice index: Int, _ encode: (String) -> [UInt32]) -> (
    context: [UInt32], continuation: [UInt32]
  ) {
    let bare = context.reversed().drop { $0.isWhitespace }.reversed()
    let before = String(bare), rest = context.dropFirst(bare.count) + " " + choices[index]
    let start = encode(before)
    return (start, Array(encode(before + rest).dropFirst(start.count)))
  }
}

/// The share of questions that a model answers rightly.
package struct ChoiceResult {
  package private(set) var questions = 0
  /// By the sum of the log-probabilities, and by that sum per character (Unicode scalar).
  package private(set) var right = 0, rightPerCharacter = 0
  /// Of the last words.
  package private(set) var words = 0, wordsFound = 0
  private var wordSum = 0.0

  package init() {}

  /// - Parameter choices: the sum of the log-probabilities of each choice, and whether each of its tokens is the best.
  package mutating func add(_ question: ChoiceQuestion, _ choices: [(sum: Double, isBest: Bool)]) {
    guard let answer = question.answer else {
      words += 1
      wordsFound += choices[0].isBest ? 1 : 0
      wordSum += choices[0].sum
      return
    }
    questions += 1
    func best(_ scores: [Double]) -> Int { scores.firstIndex(of: scores.max()!)! }
    if best(choices.map(\.sum)) == answer { right += 1 }
    let perCharacter = zip(choices, question.choices).map {
      $0.sum / Double(max(1, $1.unicodeScalars.count))
    }
    if best(perCharacter) == answer { rightPerCharacter += 1 }
  }

  package var accuracy: Double { Double(right) / Double(questions) }
  package var accuracyPerCharacter: Double { Double(rightPerCharacter) / Double(questions) }
  package var wordAccuracy: Double { Double(wordsFound) / Double(words) }
  /// exp of the mean negative log-likelihood of a last word.
  package var wordPerplexity: Double { exp(-wordSum / Double(words)) }
}
