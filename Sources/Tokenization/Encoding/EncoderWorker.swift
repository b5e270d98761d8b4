import CPreTokens
import Foundation
import Support

/// One thread's share of an encoder: scratch space, and caches of the words seen.
final class EncoderWorker {
  let tables: EncodingTables
  var state: State

  /// What changes while encoding, in one value so that a whole text is one access.
  struct State: ~Copyable {
    /// What words became: up to four numbers, how many in the top byte of the first, or 0 there where ``longWords`` has
    /// them.
    var words = WordCache()
    var longWords = LongWordCache()
    var scratch = EncodingTables.Scratch()

    /// Words between the two halves of a look into the cache, in a ring.
    let queue = UnsafeMutablePointer<Waiting>.allocate(capacity: Waiting.capacity)
    var newWords = NewWords()
    /// Two places in which no word is found.
    fileprivate let nowhere = UnsafeMutablePointer<WordCache.Entry>.allocate(capacity: 2)
    var ids = Room<UInt32>()
    fileprivate var starts = Room<UInt64>()
    /// Where the ids of this text begin, and where each document ends in them.
    fileprivate(set) var first: UnsafeMutablePointer<UInt32>
    var ends: [Int] = []
    let form: Form
    /// Where pieces are written as text.
    var lines = PieceWriter()

    init(_ form: Form) {
      self.form = form
      first = ids.start
      nowhere.initialize(
        repeating: WordCache.Entry(key: WordKey(low: 0, high: .max), value: SIMD4()), count: 2)
    }

    deinit {
      queue.deallocate()
      nowhere.deallocate()
    }
  }

  /// What words become.
  enum Form {
    case ids
    /// Where the pieces of the word end in it.
    case ends
  }

  /// Memory that is kept from one text to the next.
  struct Room<Element>: ~Copyable {
    private(set) var start = UnsafeMutablePointer<Element>.allocate(capacity: 64)
    private var capacity = 64

    deinit { start.deallocate() }

    /// Makes room for so many; what was there is lost.
    mutating func reserve(_ count: Int) {
      if count <= capacity { return }
      start.deallocate()
      start = .allocate(capacity: count)
      capacity = count
    }

    /// Gives back what only one huge text needed.
    mutating func shrink() {
      if capacity * MemoryLayout<Element>.stride <= 1 << 23 { return }
      start.deallocate()
      capacity = 64
      start = .allocate(capacity: capacity)
    }
  }

  init(_ tables: EncodingTables, _ form: Form = .ids) {
    self.tables = tables
    state = State(form)
  }

  /// Room that the ids of documents need; less of it is used.
  ///
  /// No word has more symbols than bytes, plus one for the end of a word that is a symbol; words are separated then. Some
  /// ids more are written than a word has.
  static func capacity(for documents: [Range<Int>]) -> Int { documents.reduce(32) { $0 + $1.count + 2 } }

  /// Writes the ids of documents to `output`, which has room as ``capacity(for:)`` says, and returns how many there are, and
  /// where each document ends in them.
  ///
  /// `terminator` follows the ids of each document; `seeds` makes the random choices of each document its own.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?, into output: UnsafeMutablePointer<UInt32>
  ) -> (count: Int, ends: [Int]) {
    state.ends.removeAll(keepingCapacity: true)
    state.first = output
    let count = run(text, documents: documents, terminator: terminator, seeds: seeds)
    return (count, state.ends)
  }

  /// Takes the words of documents to where the state says.
  func run(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?
  ) -> Int {
    state.starts.reserve(documents.reduce(0) { max($0, $1.count) } / 64 + 1)
    let bytes = documents.reduce(0) { $0 + $1.count }
    state.words.prepare(forBytes: bytes)
    state.longWords.prepare(forBytes: bytes)
    defer { state.starts.shrink() }
    return Self.run(tables, &state, text, documents, terminator, seeds)
  }

  /// The same with room that stays with the worker, for the time of `body`.
  func withIDs<Result>(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?, _ body: (_ ids: UnsafeBufferPointer<UInt32>, _ ends: [Int]) -> Result
  ) -> Result {
    state.ids.reserve(Self.capacity(for: documents))
    let ids = state.ids.start
    let (count, ends) = encode(text, documents: documents, terminator: terminator, seeds: seeds, into: ids)
    defer { state.ids.shrink() }
    return body(UnsafeBufferPointer(start: ids, count: count), ends)
  }

  /// A word whose place in the cache is on its way from memory, or what comes between words.
  struct Waiting {
    static var capacity: Int { 128 }
    /// Taken at once, when the ring is full: so many words lie between asking for a place and reading it.
    static var share: Int { 64 }

    /// A word of the cache, or with ``nowhere`` as places: in the top byte 0 and in the low half the length of another
    /// word, ``literal`` and an id, ``end`` and where the next document begins.
    let key: WordKey
    let places: UnsafeMutablePointer<WordCache.Entry>
    /// In the text; that of an end is the end.
    let start: Int

    static var literal: UInt64 { 0x10 << 56 }
    static var end: UInt64 { 0x11 << 56 }
  }

  /// Returns how many ids there are.
  private static func run(
    _ tables: EncodingTables, _ state: inout State, _ text: UnsafeBufferPointer<UInt8>,
    _ documents: [Range<Int>], _ terminator: UInt32?, _ seeds: ((Int) -> UInt64)?
  ) -> Int {
    var pass = Pass(tables, state, text)
    let parsesSpecialTokens = tables.options.parsesSpecialTokens && state.form == .ids
    for (index, document) in documents.enumerated() {
      if let seeds {
        pass.take(pass.added &- pass.taken, &state)
        state.scratch.random = RandomGenerator(seed: seeds(index))
      }
      if parsesSpecialTokens {
        tables.specialTokens.forEachPart(of: text, in: document) { part, special in
          pass.addWords(of: part, &state)
          if let special { pass.add(Waiting.literal, special, at: 0, &state) }
        }
      } else {
        pass.addWords(of: document, &state)
      }
      if let terminator { pass.add(Waiting.literal, terminator, at: 0, &state) }
      let next = index + 1 < documents.count ? documents[index + 1].lowerBound : document.upperBound
      pass.add(Waiting.end, next, at: document.upperBound, &state)
    }
    pass.take(pass.added &- pass.taken, &state)
    return settle(tables, &state, pass.output) - state.first
  }

  /// One text's way through the queue.
  private struct Pass {
    let tables: EncodingTables
    let preTokenizer: PreTokenizer
    let cuts: SafeCuts?
    let form: Form
    let queue: UnsafeMutablePointer<Waiting>
    let nowhere: UnsafeMutablePointer<WordCache.Entry>
    let words: WordCache.Places
    let starts: UnsafeMutablePointer<UInt64>
    let base: UnsafePointer<UInt8>
    let readable: Int
    /// Longer words are not looked for in the cache.
    let cachedLength: Int
    /// Words that came to the queue and left it.
    var (added, taken) = (0, 0)
    var output: UnsafeMutablePointer<UInt32>

    init(_ tables: EncodingTables, _ state: borrowing State, _ text: UnsafeBufferPointer<UInt8>) {
      self.tables = tables
      preTokenizer = tables.tokenizer.preTokenizer
      cuts = tables.safeCuts
      form = state.form
      (queue, nowhere, words, starts) = (
        state.queue, state.nowhere, state.words.places, state.starts.start
      )
      // An empty text may have no address; the pointer is never read then.
      base = text.baseAddress ?? CharacterClasses.table
      readable = text.count
      cachedLength = tables.isRepeatable ? WordKey.maximumLength : 0
      output = state.first
    }

    mutating func addWords(of part: Range<Int>, _ state: inout State) {
      let first = part.lowerBound
      preTokenizer.forEachPreToken(
        in: UnsafeBufferPointer(start: base + first, count: part.count), readable: readable - first,
        starts: starts
      ) { start, end in
        let length = end &- start
        if length > cachedLength && cuts != nil {
          addParts(first &+ start, length, &state)
        } else {
          addWord(first &+ start, length, &state)
        }
      }
    }

    /// A word that is long, cut where it can be.
    private mutating func addParts(_ place: Int, _ length: Int, _ state: inout State) {
      var (place, rest) = (place, length)
      while rest > cachedLength {
        let count = cuts!.firstCut(base + place, rest)
        addWord(place, count, &state)
        place += count
        rest -= count
      }
      if rest > 0 { addWord(place, rest, &state) }
    }

    @inline(__always)
    private mutating func addWord(_ place: Int, _ length: Int, _ state: inout State) {
      if length <= cachedLength {
        let key = WordKey(base + place, length: length, readable: readable &- place)
        let places = words[key]
        pkm_prefetch(places)
        add(key, places, place, &state)
      } else {
        add(0, length, at: place, &state)
      }
    }

    /// What is no word of the cache.
    mutating func add<Value: BinaryInteger>(
      _ kind: UInt64, _ value: Value, at place: Int, _ state: inout State
    ) {
      add(WordKey(low: UInt64(truncatingIfNeeded: value), high: kind), nowhere, place, &state)
    }

    @inline(__always)
    private mutating func add(
      _ key: WordKey, _ places: UnsafeMutablePointer<WordCache.Entry>, _ start: Int, _ state: inout State
    ) {
      queue[added & (Waiting.capacity - 1)] = Waiting(key: key, places: places, start: start)
      added &+= 1
      if added &- taken == Waiting.capacity { take(Waiting.share, &state) }
    }

    @inline(never)
    mutating func take(_ count: Int, _ state: inout State) {
      let range = taken..<(taken &+ count)
      if form == .ids {
        output = takeIDs(range, tables, &state, base, output)
      } else {
        takePieces(range, tables, &state, base, readable: readable)
      }
      taken &+= count
    }
  }

  /// Writes the ids of words of the queue and returns where the next ones go.
  @inline(never)
  private static func takeIDs(
    _ range: Range<Int>, _ tables: EncodingTables, _ state: inout State, _ base: UnsafePointer<UInt8>,
    _ start: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    let queue = state.queue
    var output = start
    for index in range {
      let waiting = queue + (index & (Waiting.capacity - 1))
      let (key, places) = (waiting.pointee.key, waiting.pointee.places)
      // Which of the two it is nobody can guess, so the place is computed.
      let place = places + (places[0].key == key ? 0 : 1)
      let value = place.pointee.value
      let count = Int(value[0] >> 24)
      if place.pointee.key == key && count != 0 {
        UnsafeMutableRawPointer(output).storeBytes(
          of: value & SIMD4(repeating: 0x00ff_ffff), as: SIMD4<UInt32>.self)
        output += count
      } else {
        output = takeOther(waiting.pointee, place.pointee.key == key, tables, &state, base, output)
      }
    }
    return output
  }

  /// What the cache of words does not tell; returns how many numbers were written.
  @inline(never)
  static func encode(
    _ waiting: Waiting, _ isLong: Bool, _ tables: EncodingTables, _ state: inout State,
    _ base: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var length = Int(waiting.key.high >> 56)
    switch waiting.key.high {
    case Waiting.literal:
      output[0] = UInt32(truncatingIfNeeded: waiting.key.low)
      return 1
    case Waiting.end:
      state.ends.append(output - state.first)
      return 0
    case 0: length = Int(waiting.key.low)
    default: break
    }
    let word = UnsafeBufferPointer(start: base + waiting.start, count: length)
    guard tables.isRepeatable && length <= LongWordCache.maximumLength else {
      return encodeWord(tables, &state, word, output)
    }
    let isShort = length <= WordKey.maximumLength
    let longKey = LongWordCache.key(of: word)
    if isLong || !isShort, case let place = state.longWords.place(of: longKey), place.pointee.key == longKey {
      UnsafeMutableRawPointer(output).storeBytes(of: place.pointee.value, as: SIMD8<UInt32>.self)
      return Int(place.pointee.value[7])
    }
    let count = encodeWord(tables, &state, word, output)
    if isShort {
      state.remember(waiting.key, at: waiting.places, longKey, output, count)
    } else if count <= LongWordCache.maximumIDs {
      state.longWords.store(output, count, for: longKey)
    }
    return count
  }

  private static func encodeWord(
    _ tables: EncodingTables, _ state: inout State, _ word: UnsafeBufferPointer<UInt8>,
    _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = tables.encode(word, &state.scratch, into: output)
    if state.form == .ends { return tables.makeEnds(of: output, count, word, state.scratch) }
    if tables.tokenizer.mode == .word {
      let unknown = tables.tokenizer.unknown ?? WordMerger.unknown
      let listed = UInt32(tables.tokenizer.listedCount)
      for index in 0..<count where output[index] >= listed { output[index] = unknown }
    }
    return count
  }
}
