import Foundation
import Support

/// The texts that a corpus must not contain.
///
/// A text of fewer than n words has no run of n words and is not looked for; ``shortTextCount`` counts these. (Most
/// fields of a question, its answers and names among them, are that short, and finding those alone would condemn every
/// document.)
package struct EvaluationSet: Sendable {
  /// A text of an evaluation file: a line of it, and in JSON the field.
  package struct Place: Sendable, Equatable {
    package let file: String
    package let line: Int

    package init(file: String, line: Int) { (self.file, self.line) = (file, line) }
  }

  /// Words in a run.
  package let ngram: Int
  /// Of each text that is long enough.
  package private(set) var places: [Place] = []
  package private(set) var shortTextCount = 0
  /// What had to be repaired or skipped, by name.
  package private(set) var counts = Summary()
  package private(set) var warnings: [String] = []

  /// The hashes of all words, text after text.
  private(set) var words: [UInt64] = []
  /// Where each text ends in `words`, and its key in `keys`.
  private var wordEnds: [Int] = []
  private var keyEnds: [Int] = []
  private var keys: [UInt8] = []

  static let seed: UInt64 = 0

  package init(ngram: Int) {
    precondition(ngram >= 1)
    self.ngram = ngram
  }

  package var textCount: Int { places.count }

  /// A hash of the texts and the length of the runs.
  package var digest: UInt64 {
    let texts = words.withUnsafeBytes { Hashing.xxh3($0, seed: UInt64(ngram)) }
    return wordEnds.withUnsafeBytes { Hashing.xxh3($0, seed: texts) }
  }

  /// Runs of n words, those that occur several times included.
  var ngramCount: Int { words.count - textCount * (ngram - 1) }

  package mutating func add(_ text: UnsafeRawBufferPointer, at place: Place) {
    let key = ComparisonKey(seed: Self.seed)
    let start = words.count
    key.forEachWords(of: text) { words.append(contentsOf: $0) }
    guard words.count - start >= ngram else {
      shortTextCount += 1
      words.removeSubrange(start...)
      return
    }
    key.append(keyOf: text, to: &keys)
    places.append(place)
    wordEnds.append(words.count)
    keyEnds.append(keys.count)
  }

  /// Adds all texts of files or directories.
  ///
  /// Plain text is split into documents as the options say. Of JSON lines every string is a text, however deep it lies,
  /// or, where `textField` is given, that field alone.
  package mutating func add(files inputs: [String], options: ReaderOptions, textField: String?) throws {
    for file in try InputListing.files(inputs) {
      var options = options
      if let textField { options.textField = textField }
      let blocks = try DocumentInputs([.path(file)], options: options).open(0)
      let isParsedHere = blocks.format == .jsonl && textField == nil
      if isParsedHere { blocks.takeAsLines() }
      while let batch = try blocks.next()?.documents() {
        try Interruption.check()
        counts.merge(batch.counts)
        warnings += batch.warnings
        for (index, range) in batch.ranges.enumerated() {
          let place = Place(file: file, line: batch.lines[index])
          if isParsedHere {
            try addStrings(of: Array(batch.bytes[range]), at: place, isStrict: options.isStrict)
          } else {
            batch.bytes.withUnsafeBytes { add(UnsafeRawBufferPointer(rebasing: $0[range]), at: place) }
          }
        }
      }
    }
  }

  private mutating func addStrings(of line: [UInt8], at place: Place, isStrict: Bool) throws {
    if line.withUnsafeBytes({ Bytes.isBlank($0[...]) }) { return }
    do {
      addStrings(of: try JSONValue(parsing: line), at: place)
    } catch let failure as Failure {
      let failure = Failure(.badInput, failure.message, file: place.file, line: place.line)
      if isStrict { throw failure }
      counts.add(.jsonLinesBroken)
      warnings.append("\(failure)")
    }
  }

  private mutating func addStrings(of value: JSONValue, at place: Place) {
    switch value {
    case .string(let text): text.withUnsafeBytes { add($0, at: place) }
    case .array(let values): for value in values { addStrings(of: value, at: place) }
    case .object(let members): for member in members { addStrings(of: member.value, at: place) }
    case .null, .bool, .number: break
    }
  }

  /// The words of a text, as a range of ``words``.
  func words(of text: Int) -> Range<Int> { (text == 0 ? 0 : wordEnds[text - 1])..<wordEnds[text] }

  /// The text that holds a word.
  func text(ofWord word: Int) -> Int {
    var (low, high) = (0, textCount)
    while low < high {
      let middle = (low + high) / 2
      if wordEnds[middle] <= word { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The keys of n words from one on.
  func ngram(at word: Int, of text: Int) -> String {
    let key = keys[(text == 0 ? 0 : keyEnds[text - 1])..<keyEnds[text]]
    let words = key.split(separator: 0x20)
    return String(
      decoding: Array(words.dropFirst(word).prefix(ngram).joined(separator: [0x20])), as: UTF8.self)
  }
}
