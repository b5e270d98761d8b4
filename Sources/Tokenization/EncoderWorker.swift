import CPreTokens
import Foundation
import Support

/// One thread's share of an encoder: scratch space, and caches of the words seen.
final class EncoderWorker {
  let tables: EncodingTables
  var state = State()

  /// What changes while encoding, in one value so that a whole text is one access.
  struct State: ~Copyable {
    /// Ids of words: up to four, how many in the top byte of the first, or 0 there where ``longWords`` has them.
    var words = WordCache()
    var longWords = LongWordCache()
    /// Pieces of words: where all but the last end, a byte each, and how many pieces in the last byte.
    var cuts: WordCache?
    var scratch = EncodingTables.Scratch()
    /// The ids of one word on their way to pieces.
    var word = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: 64)

    /// Words between the two halves of a look into the cache, in a ring.
    fileprivate let queue = UnsafeMutablePointer<Waiting>.allocate(capacity: Waiting.capacity)
    /// Two places in which no word is found.
    fileprivate let nowhere = UnsafeMutablePointer<WordCache.Entry>.allocate(capacity: 2)
    fileprivate var ids = Room<UInt32>()
    fileprivate var starts = Room<UInt64>()
    /// Where the ids of this text begin, and where each document ends in them.
    fileprivate var first: UnsafeMutablePointer<UInt32>
    fileprivate var ends: [Int] = []

    init() {
      first = ids.start
      nowhere.initialize(
        repeating: WordCache.Entry(key: WordKey(low: 0, high: .max), value: SIMD4()), count: 2)
    }

    deinit {
      word.deallocate()
      queue.deallocate()
      nowhere.deallocate()
    }
  }

  /// Memory that is kept from one text to the next.
  fileprivate struct Room<Element>: ~Copyable {
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

  init(_ tables: EncodingTables) { self.tables = tables }

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
    state.starts.reserve(documents.reduce(0) { max($0, $1.count) } / 64 + 1)
    state.ends.removeAll(keepingCapacity: true)
    state.first = output
    let count = Self.encode(tables, &state, text, documents, terminator, seeds)
    state.starts.shrink()
    return (count, state.ends)
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
  fileprivate struct Waiting {
    static var capacity: Int { 128 }
    /// Taken at once, when the ring is full: so many words lie between asking for a place and reading it.
    static var share: Int { 64 }

    /// A word of the cache, or with ``nowhere`` as places: in the top byte 0 and in the low half the length of another
    /// word, ``literal`` and an id, ``end``.
    let key: WordKey
    let places: UnsafeMutablePointer<WordCache.Entry>
    let start: Int

    static var literal: UInt64 { 0x10 << 56 }
    static var end: UInt64 { 0x11 << 56 }
  }

  /// Returns how many ids there are.
  private static func encode(
    _ tables: EncodingTables, _ state: inout State, _ text: UnsafeBufferPointer<UInt8>,
    _ documents: [Range<Int>], _ terminator: UInt32?, _ seeds: ((Int) -> UInt64)?
  ) -> Int {
    let (queue, nowhere, words, starts) = (
      state.queue, state.nowhere, state.words.entries, state.starts.start
    )
    let preTokenizer = tables.tokenizer.preTokenizer
    let parsesSpecialTokens = tables.options.parsesSpecialTokens
    // An empty text may have no address; the pointer is never read then.
    let base = text.baseAddress ?? CharacterClasses.table
    let cachedLength = tables.isRepeatable ? WordKey.maximumLength : 0
    var (added, taken) = (0, 0)
    var output = state.first

    @inline(__always)
    func add(_ key: WordKey, _ places: UnsafeMutablePointer<WordCache.Entry>, _ start: Int) {
      queue[added & (Waiting.capacity - 1)] = Waiting(key: key, places: places, start: start)
      added &+= 1
      if added &- taken == Waiting.capacity {
        output = take(taken..<(taken &+ Waiting.share), tables, &state, base, output)
        taken &+= Waiting.share
      }
    }
    func addWords(of part: Range<Int>) {
      let first = part.lowerBound
      preTokenizer.forEachPreToken(
        in: UnsafeBufferPointer(start: base + first, count: part.count), readable: text.count - first,
        starts: starts
      ) { start, end in
        let length = end &- start
        let place = first &+ start
        if length <= cachedLength {
          let key = WordKey(base + place, length: length, readable: text.count &- place)
          let places = WordCache.places(of: key, in: words)
          pkm_prefetch(places)
          add(key, places, place)
        } else {
          add(WordKey(low: UInt64(truncatingIfNeeded: length), high: 0), nowhere, place)
        }
      }
    }
    for (index, document) in documents.enumerated() {
      if let seeds {
        output = take(taken..<added, tables, &state, base, output)
        taken = added
        state.scratch.random = RandomGenerator(seed: seeds(index))
      }
      if parsesSpecialTokens {
        tables.specialTokens.forEachPart(of: text, in: document) { part, special in
          addWords(of: part)
          if let special { add(WordKey(low: UInt64(special), high: Waiting.literal), nowhere, 0) }
        }
      } else {
        addWords(of: document)
      }
      if let terminator { add(WordKey(low: UInt64(terminator), high: Waiting.literal), nowhere, 0) }
      add(WordKey(low: 0, high: Waiting.end), nowhere, 0)
    }
    return take(taken..<added, tables, &state, base, output) - state.first
  }

  /// Writes the ids of words of the queue and returns where the next ones go.
  @inline(never)
  private static func take(
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
        output += encode(waiting.pointee, place.pointee.key == key, tables, &state, base, output)
      }
    }
    return output
  }

  /// What the cache of words does not tell; returns how many ids.
  @inline(never)
  private static func encode(
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
    let longPlace = state.longWords.place(of: longKey)
    if isLong || !isShort, longPlace.pointee.key == longKey {
      UnsafeMutableRawPointer(output).storeBytes(of: longPlace.pointee.value, as: SIMD8<UInt32>.self)
      return Int(longPlace.pointee.value[7])
    }
    let count = encodeWord(tables, &state, word, output)
    if isShort && count <= 4 {
      var value = SIMD4(
        output[0], output[min(1, count - 1)], output[min(2, count - 1)], output[count - 1])
      value[0] |= UInt32(count) << 24
      WordCache.store(value, for: waiting.key, at: waiting.places)
    } else if count <= LongWordCache.maximumIDs {
      if isShort && !isLong { WordCache.store(SIMD4(), for: waiting.key, at: waiting.places) }
      var value = SIMD8<UInt32>()
      for index in 0..<count { value[index] = output[index] }
      value[7] = UInt32(count)
      longPlace.pointee = LongWordCache.Entry(key: longKey, value: value)
    }
    return count
  }

  private static func encodeWord(
    _ tables: EncodingTables, _ state: inout State, _ word: UnsafeBufferPointer<UInt8>,
    _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = tables.encode(word, &state.scratch, into: output)
    if tables.tokenizer.mode == .word {
      let unknown = tables.tokenizer.unknown ?? WordMerger.unknown
      let listed = UInt32(tables.tokenizer.listedCount)
      for index in 0..<count where output[index] >= listed { output[index] = unknown }
    }
    return count
  }
}
