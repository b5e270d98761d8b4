import CPreTokens
import Support

/// How a text is cut into pre-tokens; BPE merges inside of each.
///
/// The pre-tokens of a text, joined, are the text byte for byte; only ``words`` and some of ``program(_:)`` drop
/// separators.
///
/// A byte that is not part of well-formed UTF-8 counts as a character that is neither letter, number nor
/// white space.
package enum PreTokenizer: Sendable {
  /// GPT-2 (Radford et al., 2019), the pattern of r50k.
  case gpt2
  /// GPT-4, as tiktoken publishes it: white space at the end of the text is one pre-token.
  case cl100k
  /// The older form of that pattern, which the tokenizer.json of Llama 3 and others have: white space at the
  /// end of the text is cut after its last line break.
  case llama3
  /// GPT-4o: words are also cut where upper case follows lower case.
  case o200k
  /// GPT-2's treatment of white space around runs of anything else.
  case whitespace
  /// The whole text is one pre-token.
  case none
  /// Runs of anything but the bytes 0x20 and 0x0A, as fastBPE splits: the pre-tokenizer of word mode.
  case words
  /// Qwen 2, 2.5 and 3: ``llama3`` with each digit by itself.
  case qwen2
  /// Qwen 3.5: marks belong to words.
  case qwen35
  /// Mistral's Tekken: ``o200k`` with each digit by itself, and without contractions.
  case tekken
  /// ``gpt2`` between numbers, each of which is a pre-token: StarCoder, SmolLM.
  case digits
  /// ``gpt2`` between runs of numbers, each of which is a pre-token.
  case digitRuns
  /// DeepSeek's chain of three splits.
  case deepseek
  /// Kimi: ``o200k`` with runs of Chinese characters by themselves.
  case kimi
  /// Any other chain of splits, by regular expressions.
  case program(SplitProgram)
  /// Character mode without pre-tokenizer: parts that can be encoded one by one; only an encoder makes it.
  case cuts(CharacterCuts)

  /// The pattern in the syntax of the `tokenizers` library; that of ``words`` matches the separators. Nil
  /// where the library has a component for it (``gpt2``) or needs none (``none``).
  package var pattern: String? {
    switch self {
    case .gpt2, .none, .digits, .digitRuns, .deepseek, .program, .cuts: nil
    case .qwen2: Self.llama3.pattern!.replacing("\\p{N}{1,3}", with: "\\p{N}")
    case .qwen35:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .tekken:
      Self.o200k.pattern!.replacing("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", with: "")
        .replacing("\\p{N}{1,3}", with: "\\p{N}")
    case .cl100k:
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .llama3:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .o200k:
      #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        + #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .kimi:
      #"[\p{Han}]+|"#
        + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        + #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .whitespace: #" ?\S+|\s+(?!\S)|\s+"#
    case .words: "[ \\n]+"
    }
  }

  /// Calls `body(start, end)` for each pre-token in order; none is empty.
  ///
  /// `readable` bytes from the start of the text may be read. Short texts are faster with 64 bytes more than
  /// the text, and with `scratch` memory for one word per 64 bytes and one more.
  @inline(__always)
  func forEachPreToken(
    in text: UnsafeBufferPointer<UInt8>, readable: Int? = nil,
    starts scratch: UnsafeMutablePointer<UInt64>? = nil,
    _ body: (_ start: Int, _ end: Int) -> Void
  ) {
    guard let base = text.baseAddress, !text.isEmpty else { return }
    if case .none = self { return body(0, text.count) }
    // Not a temporary allocation, because `body` would not be inlined into its closure.
    let words = text.count / 64 + 1
    let starts = scratch ?? .allocate(capacity: words)
    defer { if scratch == nil { starts.deallocate() } }
    var dropped: UnsafeMutablePointer<UInt64>?
    defer { dropped?.deallocate() }
    var skipsSeparators = false
    if case .program(let program) = self {
      if program.dropsText { dropped = .allocate(capacity: words) }
      program.findStarts(in: text, starts, dropped: dropped)
    } else if case .cuts(let cuts) = self {
      cuts.findStarts(in: text, starts)
    } else {
      skipsSeparators = isWords
      pkm_pre_token_starts(kernel, base, text.count, readable ?? text.count, classes, starts)
      if starts[0] & 1 == 0 { KimiClasses.program.findStarts(in: text, starts, dropped: nil) }
    }
    let skips = skipsSeparators || dropped != nil
    // The first bit is the start of the first pre-token; every other bit is the end of one.
    starts[0] &= ~1
    var start = 0
    for index in 0..<words {
      var bits = starts[index]
      while bits != 0 {
        let end = index << 6 | bits.trailingZeroBitCount
        bits &= bits &- 1
        if !(skips && Self.isSkipped(start, base, dropped)) { body(start, end) }
        start = end
      }
    }
  }

  /// The number of the pattern in the kernel that finds the starts.
  private var kernel: Int32 {
    switch self {
    case .gpt2: Int32(PKM_PATTERN_GPT2)
    case .cl100k: Int32(PKM_PATTERN_CL100K)
    case .llama3: Int32(PKM_PATTERN_LLAMA3)
    case .o200k: Int32(PKM_PATTERN_O200K)
    case .whitespace: Int32(PKM_PATTERN_WHITESPACE)
    case .words: Int32(PKM_PATTERN_WORDS)
    case .qwen2: Int32(PKM_PATTERN_QWEN2)
    case .qwen35: Int32(PKM_PATTERN_QWEN35)
    case .tekken: Int32(PKM_PATTERN_TEKKEN)
    case .digits: Int32(PKM_PATTERN_DIGITS)
    case .digitRuns: Int32(PKM_PATTERN_DIGIT_RUNS)
    case .deepseek: Int32(PKM_PATTERN_DEEPSEEK)
    case .kimi: Int32(PKM_PATTERN_KIMI)
    case .none, .program, .cuts: preconditionFailure("no kernel does this")
    }
  }

  /// The table of classes that the kernel takes.
  private var classes: UnsafePointer<UInt8> {
    switch self {
    case .deepseek: DeepSeekClasses.table
    case .kimi: KimiClasses.table
    default: CharacterClasses.table
    }
  }

  @inline(__always) private var isWords: Bool { if case .words = self { true } else { false } }

  /// Whether the pre-token at `start` separates others and is none itself.
  @inline(__always)
  private static func isSkipped(
    _ start: Int, _ base: UnsafePointer<UInt8>, _ dropped: UnsafeMutablePointer<UInt64>?
  ) -> Bool {
    if let dropped { return dropped[start >> 6] >> UInt64(start & 63) & 1 == 1 }
    return isWordSeparator(base[start])
  }

  @inline(__always) static func isWordSeparator(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a }

  /// The pre-tokens of a text.
  ///
  /// For tests and inspection; other code does not copy them.
  package func split(_ text: [UInt8]) -> [[UInt8]] {
    var preTokens: [[UInt8]] = []
    text.withUnsafeBufferPointer { buffer in
      forEachPreToken(in: buffer) { preTokens.append(Array(buffer[$0..<$1])) }
    }
    return preTokens
  }

  /// The number of pre-tokens in documents, each a range of `bytes`.
  package func count(in bytes: [UInt8], documents: [Range<Int>]) -> Int {
    var count = 0
    bytes.withUnsafeBufferPointer { bytes in
      for range in documents {
        let text = UnsafeBufferPointer(rebasing: bytes[range])
        forEachPreToken(in: text, readable: bytes.count - range.lowerBound) { _, _ in count &+= 1 }
      }
    }
    return count
  }

  /// The first and the last position inside the text where it can be cut without changing its pre-tokens, or
  /// nil.
  ///
  /// Whatever text precedes and follows, the pre-tokens of the whole are those of the parts. So a stream can
  /// be processed in parts of any size.
  package func safeCuts(in text: UnsafeBufferPointer<UInt8>) -> (first: Int, last: Int)? {
    switch self {
    case .program(let program) where program.units == nil: return nil
    case .none, .cuts: return nil
    default: if text.count < 2 { return nil }
    }
    let classified = ClassifiedText(text)
    guard let last = (1..<text.count).last(where: { isSafeCut($0, in: classified) }) else { return nil }
    return ((1..<text.count).first { isSafeCut($0, in: classified) }!, last)
  }

  /// No pattern looks back, so a cut is safe wherever a pre-token certainly ends: before a space that follows
  /// anything but white space (a pre-token that has a space after its first character is all white space),
  /// and before a line feed or an ASCII character of class `other` that follows a letter or number.
  private func isSafeCut(_ cut: Int, in text: ClassifiedText) -> Bool {
    let next = text.bytes[cut]
    if self == .words { return Self.isWordSeparator(next) }
    // Units of superwords are cut where a line ends in a word.
    if case .program = self, next != 0x0a { return false }
    // An ASCII byte never belongs to the character before it.
    guard next < 0x80, let previous = classOfCharacter(endingAt: cut, in: text) else { return false }
    let isLetterOrNumber = CharacterClass.isLetter(previous) || previous == CharacterClass.number
    switch next {
    case 0x20: return previous != CharacterClass.space
    case 0x0a: return isLetterOrNumber
    case UInt8(ascii: "'"): return false  // In o200k a contraction belongs to the word before it.
    default:
      return self != .whitespace && isLetterOrNumber
        && CharacterClasses.table[Int(next)] == CharacterClass.other
    }
  }

  private func classOfCharacter(endingAt end: Int, in text: ClassifiedText) -> UInt8? {
    var start = end - 1
    while start > 0 && end - start < 4 && text.bytes[start] & 0xc0 == 0x80 { start -= 1 }
    // The text may begin with the last bytes of a character.
    if text.bytes[start] & 0xc0 == 0x80 { return nil }
    let (kind, length) = text.character(at: start)
    return start + length == end ? kind : nil
  }
}

// Names.
extension PreTokenizer: CaseIterable, Equatable {
  /// Those that have a name.
  package static let allCases: [PreTokenizer] = [
    .gpt2, .cl100k, .llama3, .o200k, .whitespace, .none, .words, .qwen2, .qwen35, .tekken, .digits,
    .digitRuns, .deepseek, .kimi,
  ]

  package var rawValue: String {
    switch self {
    case .gpt2: "gpt2"
    case .cl100k: "cl100k"
    case .llama3: "llama3"
    case .o200k: "o200k"
    case .whitespace: "whitespace"
    case .none: "none"
    case .words: "words"
    case .qwen2: "qwen2"
    case .qwen35: "qwen35"
    case .tekken: "tekken"
    case .digits: "digits"
    case .digitRuns: "digit-runs"
    case .deepseek: "deepseek"
    case .kimi: "kimi"
    case .program: "regex"
    case .cuts: "cuts"
    }
  }

  package init?(rawValue: String) {
    guard let found = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = found
  }

  package static func == (a: PreTokenizer, b: PreTokenizer) -> Bool {
    if case .program(let first) = a, case .program(let second) = b { return first.steps == second.steps }
    return a.rawValue == b.rawValue
  }

  /// What a person should know about the speed, once; nil for the patterns with a kernel.
  package var warning: String? {
    guard case .program(let program) = self, program.units == nil else { return nil }
    return
      "the pre_tokenizer is not among the built-in ones and runs through ICU, 10 to 60 times slower"
  }
}
