import Support

/// `tokenizer.model` of SentencePiece, of type BPE: pieces with scores, and how text is normalized.
///
/// SentencePiece merges any two neighbors whose text is a piece, the piece of the highest score first and of equal ones
/// the leftmost. So there is a merge for each way to cut a piece in two.
package enum SentencePieceModel {
  /// Whether a file looks like such a model: its first field is a piece with text, a score and perhaps a type.
  package static func isModel(_ bytes: [UInt8]) -> Bool {
    guard bytes.first == 0x0a else { return false }
    var reader = ProtobufReader(bytes, 0..<bytes.count, file: nil)
    guard let first = try? reader.next(), case .bytes(let range) = first.value,
      let piece = try? Piece(bytes, range, nil)
    else { return false }
    return !piece.text.isEmpty && (1...6).contains(piece.type)
  }

  private struct Piece {
    static let (normal, unknown, control, userDefined, unused, byte) = (1, 2, 3, 4, 5, 6)
    var text: [UInt8] = []
    var score: Float = 0
    var type = normal

    init(_ bytes: [UInt8], _ range: Range<Int>, _ file: String?) throws {
      var reader = ProtobufReader(bytes, range, file: file)
      while let (field, value) = try reader.next() {
        switch (field, value) {
        case (1, .bytes(let range)): text = Array(bytes[range])
        case (2, .word(let word)): score = Float(bitPattern: word)
        case (3, .number(let number)): type = Int(truncatingIfNeeded: number)
        default: break
        }
      }
    }
  }

  private struct Settings {
    /// 1 is Unigram, 2 BPE.
    var type: UInt64 = 1
    var byteFallback = false
    var hasPrefixBehind = false
    var charactersMap: [UInt8] = []
    var addsPrefix = true
    var removesExtraSpaces = true
    var marksSpaces = true

    mutating func readTrainer(_ bytes: [UInt8], _ range: Range<Int>, _ file: String) throws {
      var reader = ProtobufReader(bytes, range, file: file)
      while let (field, value) = try reader.next() {
        guard case .number(let number) = value else { continue }
        switch field {
        case 3: type = number
        case 24: hasPrefixBehind = number != 0
        case 35: byteFallback = number != 0
        default: break
        }
      }
    }

    mutating func readNormalizer(_ bytes: [UInt8], _ range: Range<Int>, _ file: String) throws {
      var reader = ProtobufReader(bytes, range, file: file)
      while let (field, value) = try reader.next() {
        switch (field, value) {
        case (2, .bytes(let range)): charactersMap = Array(bytes[range])
        case (3, .number(let number)): addsPrefix = number != 0
        case (4, .number(let number)): removesExtraSpaces = number != 0
        case (5, .number(let number)): marksSpaces = number != 0
        default: break
        }
      }
    }
  }

  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    var pieces: [Piece] = []
    var settings = Settings()
    var reader = ProtobufReader(bytes, 0..<bytes.count, file: file)
    while let (field, value) = try reader.next() {
      guard case .bytes(let range) = value else { continue }
      switch field {
      case 1: pieces.append(try Piece(bytes, range, file))
      case 2: try settings.readTrainer(bytes, range, file)
      case 3: try settings.readNormalizer(bytes, range, file)
      default: break
      }
    }
    guard settings.type == 2 else {
      let name = [1: "Unigram", 3: "Word", 4: "Char"][settings.type] ?? "unknown"
      throw Failure(
        .badInput, "the SentencePiece model of type \(name) is not supported", file: file,
        remedy: "Only BPE is; the model is another kind of tokenizer")
    }
    if pieces.contains(where: { $0.type == Piece.unused }) {
      throw Failure(
        .badInput, "a SentencePiece model with pieces marked as unused is not supported", file: file,
        remedy: "Save the model again without them")
    }
    guard pieces.count < 1 << 24, let unknown = pieces.firstIndex(where: { $0.type == Piece.unknown }) else {
      throw Failure(
        .badInput, "the SentencePiece model has no piece for unknown characters", file: file,
        remedy: "Give a whole model of SentencePiece")
    }
    return try assemble(pieces, settings, unknown: UInt32(unknown), file)
  }

  private static func assemble(_ pieces: [Piece], _ settings: Settings, unknown: UInt32, _ file: String)
    throws
    -> Tokenizer
  {
    guard
      let normalizer = SentencePieceNormalizer(
        charactersMap: settings.charactersMap, addsPrefix: settings.addsPrefix,
        removesExtraSpaces: settings.removesExtraSpaces, marksSpaces: settings.marksSpaces,
        hasPrefixBehind: settings.hasPrefixBehind,
        kept: pieces.filter { $0.type == Piece.userDefined }.map(\.text))
    else {
      throw Failure(
        .badInput, "the map of characters of the SentencePiece model is damaged", file: file,
        remedy: "Give a whole model of SentencePiece")
    }
    var added: [AddedToken] = []
    for (id, piece) in pieces.enumerated() {
      var token = AddedToken(id: UInt32(id), text: String(decoding: piece.text, as: UTF8.self))
      switch piece.type {
      case Piece.control, Piece.unknown: break
      case Piece.userDefined:
        token.isSpecial = false
        token.isNormalized = true
        token.isVerbatim = true
      default: continue
      }
      added.append(token)
    }
    let (merges, ranks) = merges(of: pieces)
    var tokenizer = Tokenizer(
      mode: .character, preTokenizer: .none, tokens: pieces.map(\.text), merges: merges, addedTokens: added,
      unknown: unknown)
    tokenizer.mergeRanks = ranks
    tokenizer.byteFallback = settings.byteFallback
    tokenizer.fusesUnknown = true
    tokenizer.normalization = [.sentencePiece(normalizer)]
    tokenizer.decoding = [
      .replace(.literal("\u{2581}"), with: " "), .byteFallback, .fuse,
    ]
    if settings.addsPrefix {
      tokenizer.decoding.append(
        .strip(" ", start: settings.hasPrefixBehind ? 0 : 1, end: settings.hasPrefixBehind ? 1 : 0))
    }
    return tokenizer
  }

  /// Each way to make a piece from two, and the rank of each, which is equal where the score is.
  private static func merges(of pieces: [Piece]) -> ([Tokenizer.Merge], [UInt32]) {
    // Other pieces are never made by merging, nor merged.
    let index = Vocabulary(pieces.map { $0.type == Piece.normal ? $0.text : [] })
    // The library ranks 0 before -0, which the piece that was learned first has.
    func isEqual(_ a: Float, _ b: Float) -> Bool { a == b && a.sign == b.sign }
    let order = pieces.indices.filter { pieces[$0].type == Piece.normal && pieces[$0].text.count > 1 }.sorted
    {
      let (first, second) = (pieces[$0].score, pieces[$1].score)
      return isEqual(first, second) ? $0 < $1 : first == second ? first.sign == .plus : first > second
    }
    var merges: [Tokenizer.Merge] = []
    var ranks: [UInt32] = []
    var rank: UInt32 = 0
    var score: Float?
    for id in order {
      if let score, !isEqual(score, pieces[id].score) { rank += 1 }
      score = pieces[id].score
      pieces[id].text.withUnsafeBufferPointer { text in
        guard index.id(of: text) == UInt32(id) else { return }
        for middle in 1..<text.count where text[middle] & 0xc0 != 0x80 {
          guard let left = index.id(of: UnsafeBufferPointer(rebasing: text[..<middle])),
            let right = index.id(of: UnsafeBufferPointer(rebasing: text[middle...]))
          else { continue }
          merges.append(Tokenizer.Merge(left: left, right: right, result: UInt32(id)))
          ranks.append(rank)
        }
      }
    }
    return (merges, ranks)
  }
}
