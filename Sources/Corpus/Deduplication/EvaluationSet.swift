import Algorithms
import Support

/// The evaluation texts that a corpus must not contain.
///
/// A text of fewer than n words has no run of n words and is ignored; ``shortTextCount`` counts these texts.
/// (Most fields of a question are this short, including answers and names. Matching those would condemn every
/// document.)
package struct EvaluationSet: Sendable {
  /// The location of an evaluation text: the file and the line, or the line of its JSON object.
  package struct Location: Sendable, Equatable {
    package let file: String
    package let line: Int

    package init(file: String, line: Int) { (self.file, self.line) = (file, line) }
  }

  /// The number of words in a run.
  package let ngram: Int
  /// What the comparison keys keep.
  package let keep: KeptDetails
  /// The location of each text that is long enough.
  package private(set) var locations: [Location] = []
  package private(set) var shortTextCount = 0
  /// The numbers of repairs and skips, by name.
  package private(set) var counts = Summary()
  package private(set) var warnings: [String] = []

  /// The hashes of all words of all texts.
  private(set) var words: [UInt64] = []
  /// The end of each text in `words`, and of its key in `keys`.
  private var wordEnds: [Int] = []
  private var keyEnds: [Int] = []
  private var keys: [UInt8] = []

  static let seed: UInt64 = 0

  package init(ngram: Int, keep: KeptDetails = []) {
    precondition(ngram >= 1)
    (self.ngram, self.keep) = (ngram, keep)
  }

  package var textCount: Int { locations.count }

  /// A hash of the texts, of what is kept of them, and of the length of the runs.
  package var digest: UInt64 {
    let texts = words.withUnsafeBytes { Hashing.xxh3($0, seed: UInt64(ngram) | UInt64(keep.rawValue) << 32) }
    return wordEnds.withUnsafeBytes { Hashing.xxh3($0, seed: texts) }
  }

  /// The number of runs of n words, repeated ones included.
  var ngramCount: Int { words.count - textCount * (ngram - 1) }

  package mutating func add(_ text: UnsafeRawBufferPointer, at location: Location) {
    let key = ComparisonKey(keeping: keep, seed: Self.seed)
    let start = words.count
    key.forEachWords(of: text) { words.append(contentsOf: $0) }
    guard words.count - start >= ngram else {
      shortTextCount += 1
      words.removeSubrange(start...)
      return
    }
    key.append(keyOf: text, to: &keys)
    locations.append(location)
    wordEnds.append(words.count)
    keyEnds.append(keys.count)
  }

  /// Adds all texts of files or directories.
  ///
  /// Plain text is split into documents as the options say. In JSON lines every string is a text, at any
  /// depth, or only the field `textField` if it is given.
  ///
  /// Throws if one of the inputs has no run of n words: nothing of it could ever be found, so that a contaminated
  /// corpus would look clean.
  package mutating func add(files inputs: [String], options: ReaderOptions, textField: String?) throws {
    for input in inputs {
      let (texts, short) = (textCount, shortTextCount)
      try add(file: input, options: options, textField: textField)
      if textCount > texts { continue }
      let shortTexts = shortTextCount - short
      throw Failure(
        .badInput,
        shortTexts == 0
          ? "no evaluation text was found in it, so nothing can be compared with it"
          : "none of its \(shortTexts) evaluation texts has \(ngram) words or more, so none can ever be found",
        file: input,
        remedy: shortTexts == 0
          ? "Check the file, its format (--input-format) and the field of its texts (--against-field)"
          : "Give a smaller --ngram, or leave it out")
    }
  }

  private mutating func add(file input: String, options: ReaderOptions, textField: String?) throws {
    let listing = try InputListing([input])
    for skipped in listing.skipped {
      counts.add(skipped.count)
      warnings.append(skipped.description)
    }
    for file in listing.files {
      var options = options
      if file != input { options.foundFiles.insert(file) }
      if let textField { options.textField = textField }
      let blocks = try DocumentInputs([.path(file)], options: options).open(0)
      let isParsedHere = blocks.format == .jsonl && textField == nil
      if isParsedHere { blocks.takeAsLines() }
      while let batch = try blocks.next()?.documents() {
        try Interruption.check()
        counts.merge(batch.counts)
        warnings += batch.warnings
        for (index, range) in batch.ranges.enumerated() {
          let location = Location(file: file, line: batch.lines[index])
          if isParsedHere {
            try addStrings(of: Array(batch.bytes[range]), at: location, isStrict: options.isStrict)
          } else {
            batch.bytes.withUnsafeBytes { add(UnsafeRawBufferPointer(rebasing: $0[range]), at: location) }
          }
        }
      }
    }
  }

  private mutating func addStrings(of line: [UInt8], at location: Location, isStrict: Bool) throws {
    if line.withUnsafeBytes({ Bytes.isBlankASCII($0[...]) }) { return }
    do {
      addStrings(of: try JSONValue(parsing: line), at: location)
    } catch let failure as Failure {
      let failure = Failure(.badInput, failure.message, file: location.file, line: location.line)
      if isStrict { throw failure }
      counts.add(.jsonLinesBroken)
      warnings.append("\(failure)")
    }
  }

  private mutating func addStrings(of value: JSONValue, at location: Location) {
    switch value {
    case .string(let text): text.withUnsafeBytes { add($0, at: location) }
    case .array(let values): for value in values { addStrings(of: value, at: location) }
    case .object(let members): for member in members { addStrings(of: member.value, at: location) }
    case .null, .bool, .number: break
    }
  }

  /// The range of a text in ``words``.
  func words(of text: Int) -> Range<Int> { (text == 0 ? 0 : wordEnds[text - 1])..<wordEnds[text] }

  /// The text that holds a word.
  func text(ofWord word: Int) -> Int {
    wordEnds.partitioningIndex { $0 > word }
  }

  /// The n words from the one at index `word` on, in the form of the comparison key.
  func ngram(at word: Int, of text: Int) -> String {
    let key = keys[(text == 0 ? 0 : keyEnds[text - 1])..<keyEnds[text]]
    let words = key.split(separator: 0x20)
    return String(
      decoding: Array(words.dropFirst(word).prefix(ngram).joined(separator: [0x20])), as: UTF8.self)
  }
}
