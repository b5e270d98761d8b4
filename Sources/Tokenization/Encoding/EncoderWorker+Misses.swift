import CPreTokens
import Support

// The words that the cache of short words lacks.

extension EncoderWorker {
  /// Short words that wait to be encoded together.
  ///
  /// Merging waits for memory most of the time, and a few words can wait at once. Until their ids are known,
  /// a gap of as many ids as the word has bytes is left for each of them in the output;
  /// ``State/flushMisses(before:)`` closes the gaps.
  struct MissBatch: ~Copyable {
    static var capacity: Int { Int(PKM_BATCH_WORDS) }

    /// The words in the form that the vector engine takes.
    fileprivate let keys = UnsafeMutablePointer<WordKey>.allocate(capacity: capacity)
    fileprivate let items = UnsafeMutablePointer<PendingWord>.allocate(capacity: capacity)
    /// Where the gap of each word begins in the output.
    fileprivate let gaps = UnsafeMutablePointer<UnsafeMutablePointer<UInt32>>.allocate(capacity: capacity)
    /// The number of documents that had ended before each word.
    fileprivate let endedDocuments = UnsafeMutablePointer<Int>.allocate(capacity: capacity)
    /// The results: 16 ids for each word, and how many of them are used.
    fileprivate let ids = UnsafeMutablePointer<UInt32>.allocate(capacity: 16 * capacity)
    fileprivate let counts = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
    fileprivate var count = 0

    deinit {
      keys.deallocate()
      items.deallocate()
      gaps.deallocate()
      endedDocuments.deallocate()
      ids.deallocate()
      counts.deallocate()
    }
  }
}

extension EncoderWorker.State {
  /// Takes an item of the queue that is no word of the cache, and returns where the next id goes.
  ///
  /// `isInLongWords` says that the cache knows the word and that its ids are in ``longWords``.
  @inline(never)
  mutating func encodeMiss(
    _ item: PendingWord, isInLongWords: Bool, _ base: UnsafePointer<UInt8>,
    _ nextID: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    switch item.kind {
    case .token:
      nextID.pointee = item.token
      return nextID + 1
    case .endOfDocument:
      documentEnds.append(nextID - firstID)
      return nextID
    case .shortWord where wordEncoder.encodesShortWordsTogether && !isInLongWords:
      return addToMisses(item, nextID)
    case .shortWord, .longWord:
      return nextID + encodeWord(item, isInLongWords: isInLongWords, base, into: nextID)
    }
  }

  private mutating func addToMisses(
    _ item: PendingWord, _ gap: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    let index = misses.count
    (misses.keys + index).initialize(to: item.key)
    (misses.items + index).initialize(to: item)
    misses.gaps[index] = gap
    misses.endedDocuments[index] = documentEnds.count
    misses.count += 1
    let next = gap + item.length
    return misses.count == EncoderWorker.MissBatch.capacity ? flushMisses(before: next) : next
  }

  /// Encodes the waiting words, puts their ids where the gaps are, and moves what follows each gap up.
  ///
  /// `end` is where the ids written so far end; returns where they end then.
  mutating func flushMisses(before end: UnsafeMutablePointer<UInt32>) -> UnsafeMutablePointer<UInt32> {
    let count = misses.count
    if count == 0 { return end }
    let (ids, counts, gaps) = (misses.ids, misses.counts, misses.gaps)
    wordEncoder.encodeShortWords(misses.keys, count, ids: ids, counts: counts)
    var output = gaps[0]
    for word in 0..<count {
      let item = misses.items[word]
      let wordIDs = ids + 16 * word
      var idCount = Int(counts[word])
      if wordEncoder.lacksBytes { idCount = wordEncoder.replaceUnlisted(wordIDs, idCount) }
      output.update(from: wordIDs, count: idCount)
      output += idCount

      let gapEnd = gaps[word] + item.length
      let rest = (word + 1 < count ? gaps[word + 1] : end) - gapEnd
      let lastEnd = word + 1 < count ? misses.endedDocuments[word + 1] : documentEnds.count
      for index in misses.endedDocuments[word]..<lastEnd { documentEnds[index] -= gapEnd - output }
      output.update(from: gapEnd, count: rest)
      output += rest

      remember(item, LongWordCache.key(of: item.key), wordIDs, idCount)
    }
    misses.count = 0
    return output
  }

  /// Writes what ``output`` says of one word and returns how many numbers these are.
  @inline(never)
  mutating func encodeWord(
    _ item: PendingWord, isInLongWords: Bool, _ base: UnsafePointer<UInt8>,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let length = item.length
    let word = UnsafeBufferPointer(start: base + item.start, count: length)
    guard wordEncoder.isRepeatable && length <= LongWordCache.maximumLength else {
      return encodeUncached(word, into: output)
    }
    let isShort = item.kind == .shortWord
    let longKey = LongWordCache.key(of: word)
    if isInLongWords || !isShort, case let entry = longWords.entry(for: longKey), entry.pointee.key == longKey
    {
      return entry.pointee.storeIDs(to: output)
    }
    let count = encodeUncached(word, into: output)
    if isShort {
      remember(item, longKey, output, count)
    } else if count <= LongWordCache.maximumIDs {
      longWords.store(output, count, for: longKey)
    }
    return count
  }

  private mutating func encodeUncached(
    _ word: UnsafeBufferPointer<UInt8>, into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = wordEncoder.encode(word, &scratch, into: output)
    if self.output == .subwordEnds {
      return wordEncoder.replaceByEnds(output, count, word, scratch)
    }
    return wordEncoder.replaceUnlisted(output, count)
  }

  /// Enters a short word into the cache that its ids fit in: ``words`` takes up to four, ``longWords`` some
  /// more.
  private mutating func remember(
    _ item: PendingWord, _ longKey: SIMD4<UInt64>, _ ids: UnsafePointer<UInt32>, _ count: Int
  ) {
    if count > 0 && count <= WordCache.Value.maximumCount {
      words.store(WordCache.Value(ids, count: count), for: item.key, in: item.bucket)
    } else if count <= LongWordCache.maximumIDs {
      words.store(.inLongWords, for: item.key, in: item.bucket)
      longWords.store(ids, count, for: longKey)
    }
  }
}
