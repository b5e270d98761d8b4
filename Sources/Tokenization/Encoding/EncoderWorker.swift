import CBytes
import Foundation
import Support

/// One thread's share of an encoder: its caches, and the memory that it reuses from one text to the next.
///
/// The path of a word, in the order of this file:
///
/// 1. The pre-tokenizer finds the word (``Pass/enqueueWords(of:_:)``).
/// 2. The word goes into a queue as a ``PendingWord``, and its bucket of the cache is prefetched
///    (``Pass/enqueueWord(at:length:_:)``).
/// 3. When the queue is full, the older half of it is drained: the ids of each word that the cache holds are
///    copied to the output (``State/drainIDs(_:_:_:)``). By then the buckets have come from memory.
/// 4. A word that the cache lacks is encoded by a ``WordEncoder``, four at a time where they are short, and
///    enters the cache (`EncoderWorker+Misses.swift`).
///
/// In word mode the worker can also give the text with marks where words are cut;
/// `EncoderWorker+MarkedText.swift` has step 3 for that.
final class EncoderWorker {
  /// What the numbers of a word are, in the caches and in the output.
  enum Output {
    case ids
    /// The ends of the subwords of the word, in bytes from its start.
    case subwordEnds
  }

  /// Everything that changes while a text is encoded, in one value, so that Swift checks for exclusive access
  /// once per text.
  struct State: ~Copyable {
    let wordEncoder: WordEncoder
    let output: Output
    var words = WordCache()
    var longWords = LongWordCache()
    var scratch = WordEncoder.Scratch()

    /// A ring of ``Queue/capacity`` items.
    let queue = UnsafeMutablePointer<PendingWord>.allocate(capacity: Queue.capacity)
    /// A bucket in which no key is ever found.
    fileprivate let emptyBucket = UnsafeMutablePointer<WordCache.Entry>.allocate(capacity: 2)
    var misses = MissBatch()

    var ids = ScratchBuffer<UInt32>()
    fileprivate var starts = ScratchBuffer<UInt64>()
    /// Where the ids of this text begin, and where the ids of each document end, counted from there.
    fileprivate(set) var firstID: UnsafeMutablePointer<UInt32>
    var documentEnds: [Int] = []
    var markedText = MarkedText()

    init(_ wordEncoder: WordEncoder, _ output: Output) {
      self.wordEncoder = wordEncoder
      self.output = output
      firstID = ids.start
      emptyBucket.initialize(
        repeating: WordCache.Entry(key: WordKey(low: 0, high: .max)), count: 2)
    }

    deinit {
      queue.deallocate()
      emptyBucket.deallocate()
    }
  }

  enum Queue {
    static var capacity: Int { 128 }
    /// The items drained at once when the queue is full; the others stay, so that their buckets have time to
    /// arrive.
    static var drainCount: Int { 64 }
  }

  var state: State

  init(_ wordEncoder: WordEncoder, _ output: Output = .ids) {
    state = State(wordEncoder, output)
  }

  /// The capacity in ids that `output` must have; usually far fewer are written.
  ///
  /// A word has at most as many ids as bytes, and one more where the end of a word is a symbol; words are
  /// separated by at least a byte then. Vectors write some ids past the last one.
  func capacity(for documents: [Range<Int>]) -> Int {
    let (before, after) =
      state.wordEncoder.options.addsSpecialTokens ? state.wordEncoder.tokenizer.idsAround : ([], [])
    let added = before.count + after.count + 2
    return documents.reduce(32) { $0 + $1.count + added }
  }

  /// Writes the ids of documents to `output`, which has a capacity of ``capacity(for:)`` ids.
  ///
  /// `terminator` follows the ids of each document. `seeds` gives the seed of the random choices in each
  /// document. Returns the number of ids, and where each document ends in them.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?, prepared: TextPreparation.Prepared? = nil,
    into output: UnsafeMutablePointer<UInt32>
  ) -> (count: Int, ends: [Int]) {
    state.documentEnds.removeAll(keepingCapacity: true)
    state.firstID = output
    let count = state.run(
      text, documents: documents, terminator: terminator, seeds: seeds, prepared: prepared)
    return (count, state.documentEnds)
  }

  /// The same into a buffer of the worker, which `body` can read.
  func withIDs<Result>(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?, prepared: TextPreparation.Prepared? = nil,
    _ body: (_ ids: UnsafeBufferPointer<UInt32>, _ ends: [Int]) -> Result
  ) -> Result {
    state.ids.reserve(capacity(for: documents))
    let ids = state.ids.start
    let (count, ends) = encode(
      text, documents: documents, terminator: terminator, seeds: seeds, prepared: prepared, into: ids)
    defer { state.ids.shrink() }
    return body(UnsafeBufferPointer(start: ids, count: count), ends)
  }
}

extension EncoderWorker.State {
  /// Encodes documents to where ``firstID`` or ``markedText`` says, and returns the number of ids.
  ///
  /// `prepared` has the parts of documents whose text was changed.
  mutating func run(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?,
    seeds: ((Int) -> UInt64)?, prepared: TextPreparation.Prepared? = nil
  ) -> Int {
    let byteCount = documents.reduce(0) { $0 + $1.count }
    words.prepare(forBytes: byteCount)
    longWords.prepare(forBytes: byteCount)
    starts.reserve(documents.reduce(0) { max($0, $1.count) } / 64 + 1)
    defer { starts.shrink() }

    let wordEncoder = wordEncoder
    let preparation = output == .ids ? wordEncoder.preparation : nil
    let isAdding = wordEncoder.options.addsSpecialTokens && output == .ids
    let (before, after) = isAdding ? wordEncoder.tokenizer.idsAround : ([], [])
    var pass = EncoderWorker.Pass(self, text)
    for (index, document) in documents.enumerated() {
      if let seeds {
        pass.drainAll(&self)
        scratch.random = RandomGenerator(seed: seeds(index))
      }
      for id in before { pass.enqueueToken(id, &self) }
      if let prepared {
        let first = index == 0 ? 0 : prepared.partEnds[index - 1]
        for part in prepared.parts[first..<prepared.partEnds[index]] {
          pass.enqueueWords(of: part.range, &self)
          if let token = part.token { pass.enqueueToken(token, &self) }
        }
      } else if let preparation {
        preparation.forEachPart(of: text, in: document) { part in
          pass.enqueueWords(of: part.range, &self)
          if let token = part.token { pass.enqueueToken(token, &self) }
        }
      } else {
        pass.enqueueWords(of: document, &self)
      }
      for id in after { pass.enqueueToken(id, &self) }
      if let terminator, terminator != after.last { pass.enqueueToken(terminator, &self) }
      let next = index + 1 < documents.count ? documents[index + 1].lowerBound : document.upperBound
      pass.enqueueEnd(of: document, next: next, &self)
    }
    pass.drainAll(&self)
    return flushMisses(before: pass.nextID) - firstID
  }
}

extension EncoderWorker {
  /// One pass of a text through the queue.
  ///
  /// It has copies of everything that the loop over the words reads, so that these stay in registers.
  fileprivate struct Pass {
    private let preTokenizer: PreTokenizer
    private let safeCuts: SafeCuts?
    private let output: Output
    private let queue: UnsafeMutablePointer<PendingWord>
    private let emptyBucket: UnsafeMutablePointer<WordCache.Entry>
    private let buckets: WordCache.Buckets
    private let starts: UnsafeMutablePointer<UInt64>
    private let base: UnsafePointer<UInt8>
    private let readable: Int
    /// Longer words are not looked for in the cache of short words.
    private let cachedLength: Int
    /// The items that were put into the queue and taken from it so far.
    private var (enqueued, drained) = (0, 0)
    /// Where the next id goes.
    private(set) var nextID: UnsafeMutablePointer<UInt32>

    init(_ state: borrowing State, _ text: UnsafeBufferPointer<UInt8>) {
      let wordEncoder = state.wordEncoder
      preTokenizer = wordEncoder.preTokenizer
      safeCuts = wordEncoder.safeCuts
      output = state.output
      (queue, emptyBucket, buckets, starts) = (
        state.queue, state.emptyBucket, state.words.buckets, state.starts.start
      )
      // An empty text may have no address; the pointer is not read then.
      base = text.baseAddress ?? CharacterClasses.table
      readable = text.count
      cachedLength = wordEncoder.isRepeatable ? WordKey.maximumLength : 0
      nextID = state.firstID
    }

    mutating func enqueueWords(of part: Range<Int>, _ state: inout State) {
      let first = part.lowerBound
      preTokenizer.forEachPreToken(
        in: UnsafeBufferPointer(start: base + first, count: part.count), readable: readable - first,
        starts: starts
      ) { start, end in
        let length = end &- start
        if length > cachedLength && safeCuts != nil {
          enqueueParts(ofWordAt: first &+ start, length: length, &state)
        } else {
          enqueueWord(at: first &+ start, length: length, &state)
        }
      }
    }

    /// A long word, cut where that does not change its ids.
    private mutating func enqueueParts(ofWordAt start: Int, length: Int, _ state: inout State) {
      var (start, rest) = (start, length)
      while rest > cachedLength {
        let count = safeCuts!.firstCut(base + start, rest)
        enqueueWord(at: start, length: count, &state)
        start += count
        rest -= count
      }
      if rest > 0 { enqueueWord(at: start, length: rest, &state) }
    }

    @inline(__always)
    private mutating func enqueueWord(at start: Int, length: Int, _ state: inout State) {
      if length <= cachedLength {
        let key = WordKey(base + start, length: length, readable: readable &- start)
        let bucket = buckets[key]
        pkm_prefetch(bucket)
        enqueue(.shortWord(key, bucket: bucket, start: start), &state)
      } else {
        enqueue(.longWord(start: start, length: length, emptyBucket: emptyBucket), &state)
      }
    }

    mutating func enqueueToken(_ id: UInt32, _ state: inout State) {
      enqueue(.token(id, emptyBucket: emptyBucket), &state)
    }

    mutating func enqueueEnd(of document: Range<Int>, next: Int, _ state: inout State) {
      enqueue(.endOfDocument(at: document.upperBound, next: next, emptyBucket: emptyBucket), &state)
    }

    @inline(__always)
    private mutating func enqueue(_ item: PendingWord, _ state: inout State) {
      queue[enqueued & (Queue.capacity - 1)] = item
      enqueued &+= 1
      if enqueued &- drained == Queue.capacity { drain(Queue.drainCount, &state) }
    }

    mutating func drainAll(_ state: inout State) { drain(enqueued &- drained, &state) }

    @inline(never)
    private mutating func drain(_ count: Int, _ state: inout State) {
      let range = drained..<(drained &+ count)
      switch output {
      case .ids: nextID = state.drainIDs(range, base, nextID)
      case .subwordEnds: state.drainMarkedText(range, base, readable: readable)
      }
      drained &+= count
    }
  }
}

extension EncoderWorker.State {
  /// Writes the ids of a range of the queue, and returns where the next ones go.
  @inline(never)
  fileprivate mutating func drainIDs(
    _ range: Range<Int>, _ base: UnsafePointer<UInt8>, _ start: UnsafeMutablePointer<UInt32>
  ) -> UnsafeMutablePointer<UInt32> {
    let queue = queue
    var nextID = start
    for index in range {
      let item = queue + (index & (EncoderWorker.Queue.capacity - 1))
      // Which of the two entries has the key cannot be predicted, so its address is computed without a
      // branch.
      let (key, bucket) = (item.pointee.key, item.pointee.bucket)
      let entry = bucket + (bucket[0].key == key ? 0 : 1)
      let isFound = entry.pointee.key == key
      let value = entry.pointee.value
      if isFound && !value.isInLongWords {
        value.store(to: nextID)
        nextID += value.count
      } else {
        nextID = encodeMiss(item.pointee, isInLongWords: isFound, base, nextID)
      }
    }
    return nextID
  }
}
