import Model
import Support
import Tokenization
import Training

/// What a model has written after a prompt so far.
struct Continuation {
  private let prompt: Prompt
  private var characters = CharacterStream()
  private var stops: StopStrings
  private var mask = Terminal.ByteMask()
  private let isShown: Bool
  /// Whole characters, without a stop and what follows it.
  private(set) var text: [UInt8] = []
  private var tokens: [(id: Int32, logProbability: Double)] = []

  init(_ prompt: Prompt, stops: [String], isShown: Bool) {
    (self.prompt, self.isShown) = (prompt, isShown)
    self.stops = StopStrings(stops)
  }

  var isStopped: Bool { stops.isStopped }

  /// Returns what the text is longer by.
  mutating func add(_ piece: Generator<some Operations<Float>>.Piece, _ tokenizer: Tokenizer) throws
    -> [UInt8]
  {
    tokens.append((piece.token, piece.logProbability))
    let bytes = stops.add(characters.add(try tokenizer.decode([UInt32(piece.token)])))
    text += bytes
    return bytes
  }

  /// What was held back because it could have become a stop.
  mutating func finish() -> [UInt8] {
    let bytes = stops.finish()
    text += bytes
    return bytes
  }

  /// For a terminal, without what acts on it.
  mutating func shown(_ bytes: [UInt8]) -> [UInt8] { isShown ? mask.masked(bytes) : bytes }

  func json(most: Int, logProbabilities: Bool) -> [UInt8] {
    var json = JSONWriter()
    json.object {
      if let id = prompt.id { $0.member("id", json: id) }
      $0.member("prompt", prompt.text)
      $0.member("text", String(decoding: text, as: UTF8.self))
      $0.member("tokens", tokens.count)
      $0.member("end", isStopped ? "stop" : tokens.count == most ? "length" : "end_of_document")
      guard logProbabilities else { return }
      $0.key("token_ids")
      $0.array { for token in tokens { $0.value(Int(token.id)) } }
      $0.key("token_log_probabilities")
      $0.array { for token in tokens { $0.value(token.logProbability) } }
    }
    return json.bytes
  }
}
