import CPreTokens
import Foundation
import Support

/// One thread's share of an encoder: scratch space, and a cache of the words seen.
final class EncoderWorker {
  private let tables: EncodingTables
  private let tokenizer: Tokenizer
  private var state = State()

  /// What changes while encoding, in one value so that a whole text is one access.
  private struct State: ~Copyable {
    /// Ids of words: up to four, how many in the top byte of the first.
    var ids = WordCache()
    /// Pieces of words: where all but the last end, a byte each, and how many pieces in the last byte.
    var cuts: WordCache?
    var scratch = EncodingTables.Scratch()
    /// The ids of one word on their way to pieces.
    var word: UnsafeMutableBufferPointer<UInt32> = .allocate(capacity: 64)

    /// Words between the two halves of a look into the cache.
    var waiting: UnsafeMutablePointer<Waiting> = .allocate(capacity: Waiting.capacity)

    deinit {
      word.deallocate()
      waiting.deallocate()
    }
  }

  init(_ tables: EncodingTables) {
    self.tables = tables
    tokenizer = tables.tokenizer
  }

  /// `terminator` follows the ids of each document; `seeds` makes the random choices of each document its own.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?
  ) -> EncodedBatch {
    var batch = EncodedBatch()
    batch.ends.reserveCapacity(documents.count)
    // No word has more symbols than bytes, plus one for the end of a word that is a symbol; words are separated then.
    // Four ids are written at once.
    let capacity = documents.reduce(8) { $0 + $1.count + 2 }
    batch.ids = [UInt32](unsafeUninitializedCapacity: capacity) { output, count in
      let base = output.baseAddress!
      for (index, document) in documents.enumerated() {
        if let seeds { state.scratch.random = RandomGenerator(seed: seeds(index)) }
        if tables.options.parsesSpecialTokens {
          tables.specialTokens.forEachPart(of: text, in: document) { part, special in
            Self.encode(tables, &state, text, part, base, &count)
            if let special {
              base[count] = special
              count += 1
            }
          }
        } else {
          Self.encode(tables, &state, text, document, base, &count)
        }
        if let terminator {
          base[count] = terminator
          count += 1
        }
        batch.ends.append(count)
      }
    }
    return batch
  }

  private static func encode(
    _ tables: EncodingTables, _ state: inout State, _ text: UnsafeBufferPointer<UInt8>,
    _ document: Range<Int>,
    _ output: UnsafeMutablePointer<UInt32>, _ count: inout Int
  ) {
    guard !document.isEmpty else { return }
    let base = text.baseAddress! + document.lowerBound
    let readable = text.count - document.lowerBound
    let caches = tables.isRepeatable
    var written = count
    var waiting = 0
    tables.tokenizer.preTokenizer.forEachPreToken(
      in: UnsafeBufferPointer(start: base, count: document.count), readable: readable
    ) { start, end in
      let length = end &- start
      if length <= WordKey.maximumLength && caches {
        let key = WordKey(base + start, length: length, readable: readable &- start)
        let places = state.ids.places(of: key)
        pkm_prefetch(places)
        state.waiting[waiting] = Waiting(key: key, places: places, start: start)
        waiting &+= 1
        if waiting == Waiting.capacity {
          written &+= encodeWaiting(waiting, tables, &state, base, output + written)
          waiting = 0
        }
        return
      }
      written &+= encodeWaiting(waiting, tables, &state, base, output + written)
      waiting = 0
      written &+= encodeWord(
        tables, &state, UnsafeBufferPointer(start: base + start, count: length), output + written)
    }
    count = written + encodeWaiting(waiting, tables, &state, base, output + written)
  }

  /// A word whose place in the cache is on its way from memory.
  private struct Waiting {
    static var capacity: Int { 32 }
    let key: WordKey
    let places: UnsafeMutablePointer<WordCache.Entry>
    let start: Int
  }

  @inline(__always)
  private static func encodeWaiting(
    _ count: Int, _ tables: EncodingTables, _ state: inout State, _ base: UnsafePointer<UInt8>,
    _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var written = 0
    for index in 0..<count {
      let waiting = state.waiting[index]
      let (key, places) = (waiting.key, waiting.places)
      // Which of the two it is nobody can guess, so the place is computed.
      let place = places + (places[0].key == key ? 0 : 1)
      if place.pointee.key == key {
        let value = place.pointee.value
        UnsafeMutableRawPointer(output + written).storeBytes(
          of: value & SIMD4(repeating: 0x00ff_ffff), as: SIMD4<UInt32>.self)
        written &+= Int(value[0] >> 24)
        continue
      }
      let ids = output + written
      let word = UnsafeBufferPointer(start: base + waiting.start, count: Int(key.high >> 56))
      let found = encodeWord(tables, &state, word, ids)
      written &+= found
      if (1...4).contains(found) {
        var value = SIMD4(ids[0], ids[min(1, found - 1)], ids[min(2, found - 1)], ids[found - 1])
        value[0] |= UInt32(found) << 24
        WordCache.store(value, for: key, at: places)
      }
    }
    return written
  }

  /// Not inlined: the loop around it stays small.
  @inline(never)
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

  /// fastBPE's form; returns how many pieces.
  func appendMarkedPieces(
    of text: UnsafeBufferPointer<UInt8>, in document: Range<Int>, seed: UInt64?, to output: inout TextBuffer
  ) -> Int {
    guard !document.isEmpty else { return 0 }
    if let seed { state.scratch.random = RandomGenerator(seed: seed) }
    if state.cuts == nil { state.cuts = WordCache() }
    let base = text.baseAddress! + document.lowerBound
    let readable = text.count - document.lowerBound
    // A piece of every byte: the byte and `@@ `.
    output.reserve(4 * document.count + 32)
    return Self.appendMarkedPieces(tables, &state, base, document.count, readable, &output)
  }

  private static func appendMarkedPieces(
    _ tables: EncodingTables, _ state: inout State, _ base: UnsafePointer<UInt8>, _ length: Int,
    _ readable: Int, _ buffer: inout TextBuffer
  ) -> Int {
    let output = buffer.bytes
    var written = buffer.count
    var pieces = 0
    var copied = 0
    let caches = tables.isRepeatable
    tables.tokenizer.preTokenizer.forEachPreToken(
      in: UnsafeBufferPointer(start: base, count: length), readable: readable
    ) { start, end in
      while copied < start {
        output[written] = base[copied]
        copied &+= 1
        written &+= 1
      }
      copied = end
      let word = base + start
      let count = end &- start
      var key = WordKey.free
      if count <= WordKey.maximumLength && caches {
        key = WordKey(word, length: count, readable: readable &- start)
        let places = state.cuts!.places(of: key)
        let place = places[0].key == key ? 0 : 1
        if places[place].key == key {
          let value = places[place].value
          let found = Int(value[3] >> 24)
          // The whole word first; a reserve of 32 bytes allows it.
          UnsafeMutableRawPointer(output + written).storeBytes(of: key.low, as: UInt64.self)
          UnsafeMutableRawPointer(output + written + 8).storeBytes(of: key.high, as: UInt64.self)
          pieces &+= found
          if found == 1 {
            written &+= count
            return
          }
          var from = 0
          withUnsafeBytes(of: value) { cuts in
            for index in 0..<(found - 1) {
              let cut = Int(cuts[index])
              memmove(output + written, word + from, cut - from)
              written += cut - from
              UnsafeMutableRawPointer(output + written).storeBytes(of: continuation, as: UInt32.self)
              written += 3
              from = cut
            }
          }
          memmove(output + written, word + from, count - from)
          written += count - from
          return
        }
      }
      let found = cutWord(tables, &state, UnsafeBufferPointer(start: word, count: count))
      var from = 0
      var value = SIMD4<UInt32>()
      for index in 0..<found.count {
        let cut = found[index]
        memcpy(output + written, word + from, cut - from)
        written += cut - from
        from = cut
        if index + 1 < found.count {
          UnsafeMutableRawPointer(output + written).storeBytes(of: continuation, as: UInt32.self)
          written += 3
          if index < 15 { value[index / 4] |= UInt32(cut) << UInt32(index % 4 * 8) }
        }
      }
      pieces += found.count
      if key != .free {
        value[3] = value[3] & 0x00ff_ffff | UInt32(found.count) << 24
        WordCache.store(value, for: key, at: state.cuts!.places(of: key))
      }
    }
    memcpy(output + written, base + copied, length - copied)
    buffer.count = written + length - copied
    return pieces
  }

  /// `@@ `, and a byte that is overwritten.
  private static let continuation = UInt32(0x0020_4040)

  /// Where the pieces of a word end.
  @inline(never)
  private static func cutWord(
    _ tables: EncodingTables, _ state: inout State, _ word: UnsafeBufferPointer<UInt8>
  ) -> [Int] {
    if state.word.count < word.count + 8 {
      state.word.deallocate()
      state.word = .allocate(capacity: 2 * word.count + 8)
    }
    let count = tables.encode(word, &state.scratch, into: state.word.baseAddress!)
    var lengths = state.scratch.lengths
    if lengths.isEmpty {
      tables.appendLengths(UnsafeBufferPointer(rebasing: state.word[..<count]), word, &lengths)
    }
    var ends: [Int] = []
    for length in lengths where length > 0 { ends.append((ends.last ?? 0) + length) }
    return ends
  }
}
