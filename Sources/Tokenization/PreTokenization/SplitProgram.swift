import CICU
import Support

/// A chain of splits by regular expressions: what no kernel does, through ICU.
///
/// Each split works on the pieces of the one before, as if each were a text of its own.
package final class SplitProgram: Sendable {
  /// The chain as it was given.
  package let steps: [PreTokenizationStep]
  private let splits: [Split]
  /// What splits in place of ICU, where there is a kernel.
  let units: SuperwordUnits?
  private let idle = IdlePool<Worker>()
  /// Texts are cut after so many bytes at most, behind a line feed if there is one.
  private static let longestText = 1 << 30

  private struct Split: Sendable {
    /// In ICU's syntax.
    let pattern: String
    let behavior: SplitBehavior
    let isInverted: Bool
    /// Whether the split works on the letters of ``ByteAlphabet`` that stand for the bytes of the text.
    var isOfBytes = false
  }

  /// Throws a ``Failure`` that quotes the pattern that ICU does not take.
  init(_ steps: [PreTokenizationStep], _ syntax: ICUPattern.Syntax = .oniguruma, usesKernels: Bool = true)
    throws
  {
    self.steps = steps
    units = usesKernels ? SuperwordUnits(steps) : nil
    var splits: [Split] = []
    var isOfBytes = false
    for step in steps {
      defer { isOfBytes = isOfBytes || step.isByteLevel }
      guard var split = Self.split(step, syntax) else { continue }
      split.isOfBytes = isOfBytes
      splits.append(split)
      var message = [CChar](repeating: 0, count: 200)
      guard let compiled = pkm_pattern_compile(split.pattern, &message, message.count) else {
        let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        var pattern = "\(step)"
        if case .split(.regex(let text), _, _) = step { pattern = "Split with the pattern \(text)" }
        throw Failure(.badInput, "the pre_tokenizer \(pattern) is not supported (ICU says \(reason))")
      }
      pkm_pattern_destroy(compiled)
    }
    self.splits = splits
  }

  /// A step as a split, or nil where it does not split.
  private static func split(_ step: PreTokenizationStep, _ syntax: ICUPattern.Syntax) -> Split? {
    func regex(_ pattern: String, _ behavior: SplitBehavior, _ syntax: ICUPattern.Syntax) -> Split {
      Split(pattern: ICUPattern.translate(pattern, syntax), behavior: behavior, isInverted: false)
    }
    switch step {
    case .split(.literal(let text), let behavior, let isInverted):
      return Split(pattern: ICUPattern.escaped(text), behavior: behavior, isInverted: isInverted)
    case .split(.regex(let pattern), let behavior, let isInverted):
      return Split(
        pattern: ICUPattern.translate(pattern, syntax), behavior: behavior, isInverted: isInverted)
    case .byteLevel(_, usesRegex: true): return regex(PreTokenizer.gpt2Pattern, .isolated, .oniguruma)
    case .byteLevel(_, usesRegex: false): return nil
    case .digits(let individual): return regex("\\p{N}", individual ? .isolated : .contiguous, .oniguruma)
    case .punctuation(let behavior):
      return Split(pattern: ICUPattern.punctuation, behavior: behavior, isInverted: false)
    case .whitespace:
      return Split(
        pattern: ICUPattern.translate(#"\w+|[^\w\s]+"#, .rust), behavior: .removed, isInverted: true)
    case .whitespaceSplit: return regex("\\s", .removed, .oniguruma)
    case .metaspace(let replacement, _, let splits):
      return splits
        ? Split(
          pattern: ICUPattern.escaped(String(replacement)), behavior: .mergedWithNext, isInverted: false)
        : nil
    }
  }

  /// Whether text can be lost.
  var dropsText: Bool { splits.contains { $0.behavior == .removed } }

  /// Sets bit i of `starts` where a piece begins at byte i, and bit `count`; of `dropped` where that piece is no
  /// pre-token. Both have count / 64 + 1 words.
  func findStarts(
    in text: UnsafeBufferPointer<UInt8>, _ starts: UnsafeMutablePointer<UInt64>,
    dropped: UnsafeMutablePointer<UInt64>?
  ) {
    if let units { return units.findStarts(in: text, starts) }
    let words = text.count / 64 + 1
    starts.update(repeating: 0, count: words)
    dropped?.update(repeating: 0, count: words)
    idle.with(orMake: { Worker(splits) }) { worker in
      var start = 0
      while start < text.count {
        let end = Self.end(of: start, in: text)
        worker.findStarts(in: UnsafeBufferPointer(rebasing: text[start..<end]), at: start, starts, dropped)
        start = end
      }
    }
    starts[text.count >> 6] |= 1 << UInt64(text.count & 63)
  }

  private static func end(of start: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
    if text.count - start <= longestText { return text.count }
    let end = start + longestText
    return text[start..<end].lastIndex(of: 0x0a).map { $0 + 1 } ?? end
  }

  /// What one thread needs.
  private final class Worker {
    private let splits: [(pattern: OpaquePointer, split: Split)]
    private var units = ScratchBuffer<UInt16>()
    private var pieces: [Piece] = []
    private var next: [Piece] = []
    private var offsets: [Int] = []

    struct Piece {
      var start, end: Int32
      var isDropped = false
    }

    init(_ splits: [Split]) {
      self.splits = splits.map { split in
        var message = [CChar](repeating: 0, count: 8)
        guard let pattern = pkm_pattern_compile(split.pattern, &message, message.count) else {
          fatalError("ICU takes a pattern no more that it took before")
        }
        return (pattern, split)
      }
    }

    deinit { for (pattern, _) in splits { pkm_pattern_destroy(pattern) } }

    func findStarts(
      in text: UnsafeBufferPointer<UInt8>, at base: Int, _ starts: UnsafeMutablePointer<UInt64>,
      _ dropped: UnsafeMutablePointer<UInt64>?
    ) {
      units.reserve(text.count)
      defer { units.shrink() }
      var count = pkm_utf16_from_utf8(text.baseAddress!, text.count, units.start)
      pieces.removeAll(keepingCapacity: true)
      pieces.append(Piece(start: 0, end: Int32(count)))
      var isOfBytes = false
      for (pattern, split) in splits {
        if split.isOfBytes && !isOfBytes {
          takeBytes(of: text)
          isOfBytes = true
          count = text.count
        }
        precondition(pkm_pattern_set_text(pattern, units.start, count), "ICU lacks memory")
        next.removeAll(keepingCapacity: true)
        for piece in pieces {
          if piece.isDropped { next.append(piece) } else { apply(split, pattern, to: piece) }
        }
        swap(&pieces, &next)
      }
      if !isOfBytes { takeBytes(of: text, keepsUnits: true) }
      for piece in pieces {
        let byte = base + Int(piece.start)
        starts[byte >> 6] |= 1 << UInt64(byte & 63)
        if piece.isDropped { dropped?[byte >> 6] |= 1 << UInt64(byte & 63) }
      }
    }

    /// Makes the ``pieces`` ranges of bytes, and the units the letters that stand for them.
    private func takeBytes(of text: UnsafeBufferPointer<UInt8>, keepsUnits: Bool = false) {
      // Empty pieces vanish.
      pieces.removeAll { $0.start == $0.end }
      let unitStarts = pieces.map(\.start)
      offsets.removeAll(keepingCapacity: true)
      offsets.append(contentsOf: repeatElement(0, count: pieces.count))
      pkm_utf8_offsets(text.baseAddress!, text.count, unitStarts, unitStarts.count, &offsets)
      for index in pieces.indices {
        pieces[index].start = Int32(offsets[index])
        pieces[index].end = Int32(index + 1 < pieces.count ? offsets[index + 1] : text.count)
      }
      if keepsUnits { return }
      for (index, byte) in text.enumerated() { units.start[index] = Self.letters[Int(byte)] }
    }

    private static let letters = (UInt8.min...UInt8.max).map { byte in
      String(decoding: ByteAlphabet.encode([byte]), as: UTF8.self).utf16.first!
    }

    /// Appends the parts of a piece to ``next``.
    private func apply(_ split: Split, _ pattern: OpaquePointer, to piece: Piece) {
      var found: UnsafePointer<Int32>?
      let count = pkm_pattern_find(pattern, piece.start, piece.end, &found)
      guard count >= 0 else { fatalError("ICU lacks memory for a regular expression") }
      let first = next.count
      // The state of the behavior: whether the part before was a match.
      var wasMatch = false
      func add(_ start: Int32, _ end: Int32, isMatch: Bool) {
        let isMatch = isMatch != split.isInverted
        defer { wasMatch = isMatch }
        switch split.behavior {
        case .removed: next.append(Piece(start: start, end: end, isDropped: isMatch))
        case .isolated: next.append(Piece(start: start, end: end))
        case .contiguous where next.count > first && isMatch == wasMatch,
          .mergedWithPrevious where next.count > first && isMatch && !wasMatch:
          next[next.count - 1].end = end
        case .contiguous, .mergedWithPrevious: next.append(Piece(start: start, end: end))
        case .mergedWithNext:
          // The last of successive matches belongs to what follows, which is no match.
          if wasMatch && !isMatch && next.count > first {
            next[next.count - 1].end = end
          } else {
            next.append(Piece(start: start, end: end))
          }
        }
      }
      var position = piece.start
      for index in 0..<Int(count) {
        let (start, end) = (found![2 * index], found![2 * index + 1])
        if start > position { add(position, start, isMatch: false) }
        add(start, end, isMatch: true)
        position = end
      }
      if position < piece.end { add(position, piece.end, isMatch: false) }
    }
  }
}
