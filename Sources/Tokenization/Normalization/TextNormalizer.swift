import CICU
import Support

/// Applies the steps of ``Tokenizer/normalization`` to text, on any number of threads at once.
///
/// A byte that is no part of well-formed UTF-8 stays as it is, and no step looks across it.
final class TextNormalizer: Sendable {
  private let operations: [Operation]
  /// Whether text in ASCII stays as it is.
  let keepsASCII: Bool

  /// A step with the tables that it needs.
  private enum Operation: Sendable {
    case form(UnicodeForm)
    case lowercase
    case stripAccents
    case strip(left: Bool, right: Bool)
    case replace([UInt8], with: [UInt8])
    case replacePattern(ReplacedPattern)
    case prepend([UInt8])
    case sentencePiece(SentencePieceNormalizer)
  }

  init(_ steps: [NormalizationStep]) {
    keepsASCII = steps.allSatisfy(\.keepsASCII)
    operations = steps.map { step in
      switch step {
      case .nfc: .form(UnicodeForm(PKM_FORM_NFC))
      case .nfd: .form(UnicodeForm(PKM_FORM_NFD))
      case .nfkc: .form(UnicodeForm(PKM_FORM_NFKC))
      case .nfkd: .form(UnicodeForm(PKM_FORM_NFKD))
      case .lowercase: .lowercase
      case .stripAccents: .stripAccents
      case .strip(let left, let right): .strip(left: left, right: right)
      case .replace(.literal(let text), let replacement):
        .replace(Array(text.utf8), with: Array(replacement.utf8))
      case .replace(.regex(let pattern), let replacement):
        .replacePattern(ReplacedPattern(pattern, replacement: replacement))
      case .prepend(let text): .prepend(Array(text.utf8))
      case .sentencePiece(let normalizer): .sentencePiece(normalizer)
      }
    }
  }

  func normalize(_ text: String) -> [UInt8] {
    var out: [UInt8] = []
    Array(text.utf8).withUnsafeBufferPointer { append($0, to: &out) }
    return out
  }

  /// Appends the normalized text.
  func append(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    if operations.isEmpty || keepsASCII && Self.isASCII(text) {
      out.append(contentsOf: text)
      return
    }
    let last = operations.count - 1
    if last == 0 { return Self.apply(operations[0], to: text, into: &out) }
    var (current, next): ([UInt8], [UInt8]) = ([], [])
    current.reserveCapacity(text.count + text.count / 2 + 16)
    Self.apply(operations[0], to: text, into: &current)
    for operation in operations[1..<last] {
      next.removeAll(keepingCapacity: true)
      next.reserveCapacity(current.count + current.count / 2 + 16)
      current.withUnsafeBufferPointer { Self.apply(operation, to: $0, into: &next) }
      swap(&current, &next)
    }
    current.withUnsafeBufferPointer { Self.apply(operations[last], to: $0, into: &out) }
  }

  static func isASCII(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var bits: UInt8 = 0
    for byte in text { bits |= byte }
    return bits < 0x80
  }

  private static func apply(
    _ operation: Operation, to text: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]
  ) {
    switch operation {
    case .form(let form): form.append(text, to: &out)
    case .lowercase:
      forEachCharacter(of: text) { bytes, scalar in
        if let scalar, !scalar.isASCII {
          Lowercase.append(scalar, to: &out)
        } else {
          for byte in bytes { out.append((0x41...0x5a).contains(byte) ? byte | 0x20 : byte) }
        }
      }
    case .stripAccents:
      forEachCharacter(of: text) { bytes, scalar in
        if let scalar, CharacterClasses.table[Int(scalar.value)] == CharacterClass.mark { return }
        out.append(contentsOf: bytes)
      }
    case .strip(let left, let right):
      var (start, end) = (text.count, 0)
      forEachCharacter(of: text) { bytes, scalar in
        let from = bytes.baseAddress! - text.baseAddress!
        if let scalar, CharacterClasses.table[Int(scalar.value)] == CharacterClass.space { return }
        start = min(start, from)
        end = from + bytes.count
      }
      if !left { start = 0 }
      if !right { end = text.count }
      if start < end { out.append(contentsOf: text[start..<end]) }
    case .replace(let pattern, let replacement):
      replace(pattern, with: replacement, in: text, into: &out)
    case .replacePattern(let pattern): pattern.append(text, to: &out)
    case .sentencePiece(let normalizer): normalizer.append(text, to: &out)
    case .prepend(let prefix):
      if !text.isEmpty { out += prefix }
      out.append(contentsOf: text)
    }
  }

  /// Replaces each occurrence, from left to right.
  static func replace(
    _ pattern: [UInt8], with replacement: [UInt8], in text: UnsafeBufferPointer<UInt8>,
    into out: inout [UInt8]
  ) {
    guard let first = pattern.first else { return out.append(contentsOf: text) }
    if pattern.count == 1 && (1...4).contains(replacement.count) {
      return replaceByte(first, with: replacement, in: text, into: &out)
    }
    var (start, index) = (0, 0)
    while index + pattern.count <= text.count {
      if text[index] == first,
        pattern.count == 1 || text[index..<(index + pattern.count)].elementsEqual(pattern)
      {
        out.append(contentsOf: text[start..<index])
        out += replacement
        index += pattern.count
        start = index
      } else {
        index += 1
      }
    }
    out.append(contentsOf: text[start...])
  }

  /// The same for one byte and up to four in its place, as in `▁` for spaces: without branches, because spaces are
  /// frequent and cannot be predicted.
  private static func replaceByte(
    _ byte: UInt8, with replacement: [UInt8], in text: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]
  ) {
    let partLength = 4096
    let length = replacement.count
    let bytes = replacement.indices.reduce(UInt32(0)) { $0 | UInt32(replacement[$1]) << UInt32(8 * $1) }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4 * partLength + 4) { buffer in
      let start = buffer.baseAddress!
      var position = 0
      while position < text.count {
        let end = min(text.count, position + partLength)
        var next = start
        while position < end {
          let found = text[position]
          let isMatch = found == byte
          UnsafeMutableRawPointer(next).storeBytes(of: isMatch ? bytes : UInt32(found), as: UInt32.self)
          next += isMatch ? length : 1
          position &+= 1
        }
        out.append(contentsOf: UnsafeBufferPointer(start: start, count: next - start))
      }
    }
  }

  /// Calls `body` with the bytes of each character; a byte that is no part of well-formed UTF-8 has no scalar.
  static func forEachCharacter(
    of text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, Unicode.Scalar?) -> Void
  ) {
    var index = 0
    while index < text.count {
      let (scalar, length) = character(of: text, at: index)
      body(UnsafeBufferPointer(rebasing: text[index..<(index + length)]), scalar)
      index += length
    }
  }

  static func character(of text: UnsafeBufferPointer<UInt8>, at index: Int) -> (Unicode.Scalar?, length: Int)
  {
    let first = text[index]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    var iterator = text[index..<min(index + 4, text.count)].makeIterator()
    var decoder = UTF8()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return (nil, 1) }
    return (scalar, UTF8.width(scalar))
  }
}

/// One normalization form of Unicode, by ICU.
private final class UnicodeForm: Sendable {
  private let form: pkm_form
  private let engines = IdlePool<Engine>()

  private final class Engine {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { pkm_normalizer_destroy(pointer) }
  }

  init(_ form: pkm_form) { self.form = form }

  func append(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    engines.with(orMake: makeEngine) { engine in
      var start = 0
      var index = 0
      func flush() {
        if start == index { return }
        pkm_normalizer_reset(engine.pointer)
        let isDone = pkm_normalizer_append(engine.pointer, text.baseAddress! + start, index - start, false)
        precondition(isDone, "ICU cannot normalize \(index - start) bytes")
        let result = pkm_normalizer_result(engine.pointer)
        out.append(contentsOf: UnsafeBufferPointer(start: result.bytes, count: result.length))
      }
      while index < text.count {
        if text[index] < 0x80 {
          index += 1
          continue
        }
        let (scalar, length) = TextNormalizer.character(of: text, at: index)
        if scalar == nil {
          flush()
          out.append(text[index])
          start = index + 1
        }
        index += length
      }
      flush()
    }
  }

  private func makeEngine() -> Engine {
    var message = [CChar](repeating: 0, count: 256)
    let pointer = "".withCString { root in
      var options = pkm_normalizer_options(
        form: form, letter_case: PKM_CASE_NONE, strip_accents: false, plain_punctuation: false,
        clean_whitespace: false, clean_controls: false, transform: nil, locale: root, split_sentences: false,
        tokenize: false, has_fast_path: true, is_interrupted: nil)
      return pkm_normalizer_create(&options, &message, message.count)
    }
    guard let pointer else { preconditionFailure("ICU has no normalization data") }
    return Engine(pointer)
  }
}

/// The small letters of characters.
private enum Lowercase {
  /// By code point; 0 where the mapping is not one character.
  private static let table: [UInt32] = (0..<0x20000).map { value in
    guard let scalar = Unicode.Scalar(UInt32(value)) else { return UInt32(value) }
    let mapping = scalar.properties.lowercaseMapping.unicodeScalars
    return mapping.count == 1 ? mapping.first!.value : 0
  }

  static func append(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
    let value = Int(scalar.value)
    if value < table.count, table[value] != 0 {
      out.append(contentsOf: UTF8.encode(Unicode.Scalar(table[value])!)!)
    } else {
      out.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
    }
  }
}
