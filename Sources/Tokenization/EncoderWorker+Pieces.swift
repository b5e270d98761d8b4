import CPreTokens
import Foundation
import Support

/// Text with marks where words are cut.
extension EncoderWorker {
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
    if state.word.count < word.count + 16 {
      state.word.deallocate()
      state.word = .allocate(capacity: 2 * word.count + 32)
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
