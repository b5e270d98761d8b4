import CPreTokens
import Foundation

/// Short words that the cache does not hold, merged a few at a time.
///
/// Merging waits for memory most of the time, and several words can wait together. Until their ids are known their places among
/// the ids of the text are left empty, as many as the word has bytes; what follows moves up then.
extension EncoderWorker {
  struct NewWords: ~Copyable {
    static var capacity: Int { Int(PKM_WORDS_AT_ONCE) }

    fileprivate let keys = UnsafeMutablePointer<WordKey>.allocate(capacity: capacity)
    fileprivate let waiting = UnsafeMutablePointer<Waiting>.allocate(capacity: capacity)
    /// Where the ids go, and how many documents had ended before.
    fileprivate let outputs = UnsafeMutablePointer<UnsafeMutablePointer<UInt32>>.allocate(capacity: capacity)
    fileprivate let ends = UnsafeMutablePointer<Int>.allocate(capacity: capacity)
    fileprivate let ids = UnsafeMutablePointer<UInt32>.allocate(capacity: 16 * capacity)
    fileprivate let counts = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
    fileprivate var count = 0

    deinit {
      keys.deallocate()
      waiting.deallocate()
      outputs.deallocate()
      ends.deallocate()
      ids.deallocate()
      counts.deallocate()
    }
  }

  /// Takes what is not in the cache with its ids, and returns where those of the next word go.
  @inline(never)
  static func takeOther(
    _ waiting: Waiting, _ isLong: Bool, _ tables: EncodingTables, _ state: inout State,
    _ base: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    let length = waiting.key.length
    guard tables.takesWords && !isLong && (1...WordKey.maximumLength).contains(length) else {
      return output + encode(waiting, isLong, tables, &state, base, output)
    }
    let index = state.newWords.count
    (state.newWords.keys + index).initialize(to: waiting.key)
    (state.newWords.waiting + index).initialize(to: waiting)
    state.newWords.outputs[index] = output
    state.newWords.ends[index] = state.ends.count
    state.newWords.count += 1
    let next = output + length
    return state.newWords.count == NewWords.capacity ? settle(tables, &state, next) : next
  }

  /// Puts the ids of new words in their places and returns where those of the next word go.
  static func settle(
    _ tables: EncodingTables, _ state: inout State, _ end: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    let count = state.newWords.count
    if count == 0 { return end }
    let (ids, counts, outputs) = (state.newWords.ids, state.newWords.counts, state.newWords.outputs)
    tables.encodeWords(state.newWords.keys, count, tokens: ids, counts: counts)
    var output = outputs[0]
    for word in 0..<count {
      let waiting = state.newWords.waiting[word]
      let (own, idCount) = (ids + 16 * word, Int(counts[word]))
      output.update(from: own, count: idCount)
      output += idCount
      let from = outputs[word] + waiting.key.length
      let rest = (word + 1 < count ? outputs[word + 1] : end) - from
      let lastEnd = word + 1 < count ? state.newWords.ends[word + 1] : state.ends.count
      for index in state.newWords.ends[word]..<lastEnd { state.ends[index] -= from - output }
      output.update(from: from, count: rest)
      output += rest
      let key = waiting.key
      let longKey = SIMD4(key.low, key.high & ~0 >> 8, 0, UInt64(key.length) << 56)
      state.remember(key, at: waiting.places, longKey, own, idCount)
    }
    state.newWords.count = 0
    return output
  }
}

extension EncoderWorker.State {
  /// Keeps the ids of a short word in the cache that has room for them.
  mutating func remember(
    _ key: WordKey, at place: UnsafeMutablePointer<WordCache.Entry>, _ longKey: SIMD4<UInt64>,
    _ ids: UnsafePointer<UInt32>, _ count: Int
  ) {
    if count <= 4 {
      var value = SIMD4(ids[0], ids[min(1, count - 1)], ids[min(2, count - 1)], ids[count - 1])
      value[0] |= UInt32(count) << 24
      words.store(value, for: key, at: place)
    } else if count <= LongWordCache.maximumIDs {
      words.store(SIMD4(), for: key, at: place)
      longWords.store(ids, count, for: longKey)
    }
  }
}
