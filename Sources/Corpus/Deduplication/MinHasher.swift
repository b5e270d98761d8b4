import CBytes
import Support

/// MinHash signatures (Broder, 1997), and one key per band of each signature.
///
/// A shingle is a hash of 64 bits. From its lower half x and upper half y, any number of 32-bit hashes is
/// derived: hᵢ = aᵢ x + y (mod 2³²) with random numbers aᵢ. Each takes one multiplication, addition and
/// minimum, 16 lanes per vector.
///
/// Two different shingles have the same hᵢ for about one in 2³² of the numbers aᵢ, and because y takes part
/// these are different i for different pairs; with a single 32-bit hash instead of x and y, two colliding
/// shingles would be equal for all i. So two documents of n shingles each that share none agree in one
/// minimum with probability about n / 2³³ (6e-8 for 500 words), and in the r rows of a band with that
/// probability to the power of r. The bias matters only for documents of more than ten million words.
///
/// The key of a band is a 64-bit hash of its number and its r minima. For 60 million documents and 14 bands,
/// 8.4e8 keys, the probability that any two different keys collide is 2 %, which would make one wrong
/// candidate pair; `--verify` rejects even that.
package struct MinHasher: Sendable {
  package let options: MinHashOptions
  /// One multiplier per hash, padded with zeros to whole vectors.
  private let multipliers: [UInt32]

  package init(_ options: MinHashOptions) {
    self.options = options
    var random = RandomGenerator(seed: options.shingles.seed, stream: "minhash")
    multipliers = (0..<((options.hashes + 15) / 16 * 16)).map { index in
      index < options.hashes ? UInt32(truncatingIfNeeded: random.next() >> 32) : 0
    }
  }

  /// The minimum of each hash over all shingles; UInt32.max if there are no shingles.
  package func signature(of shingles: [UInt64]) -> [UInt32] {
    var minima = [UInt32](repeating: .max, count: multipliers.count)
    shingles.withUnsafeBufferPointer { shingles in
      minima.withUnsafeMutableBufferPointer { update($0.baseAddress!, with: shingles) }
    }
    return Array(minima[..<options.hashes])
  }

  private func update(_ minima: UnsafeMutablePointer<UInt32>, with shingles: UnsafeBufferPointer<UInt64>) {
    guard let address = shingles.baseAddress else { return }
    pkm_minhash_update(address, shingles.count, multipliers, minima, multipliers.count)
  }

  /// The layout of a row of the document table: the location, 8 bytes; the weight, 16 bytes, unless the first
  /// document is kept; the sketch, half a byte per hash, if there are sketches.
  struct RowFormat {
    let weight: Int?
    let sketch: Int?
    let sketchBytes: Int
    let bytes: Int

    init(_ options: MinHashOptions) {
      weight = options.keep == .first ? nil : 8
      let end = weight == nil ? 8 : 24
      sketch = options.hasSketches ? end : nil
      sketchBytes = options.hasSketches ? (options.hashes + 1) / 2 : 0
      bytes = end + sketchBytes
    }
  }

  /// The signatures of the documents of a batch.
  package struct BatchSignatures: Sendable {
    /// One key per band of each document that has shingles.
    var keys: [UInt64] = []
    /// The indices in the batch of the documents that have shingles.
    var keyed: [Int] = []
    /// The rows of all documents.
    var rows: [UInt8] = []
    package var documentCount: Int = 0
    /// The number of documents without a letter or digit, which are never near-duplicates.
    package var wordless: Int { documentCount - keyed.count }
  }

  /// Computes the signatures of a batch. This step can run on many threads.
  package func signatures(of batch: DocumentBatch) throws -> BatchSignatures {
    let format = RowFormat(options)
    let shingler = Shingler(options.shingles)
    let minima = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: multipliers.count)
    defer { minima.deallocate() }
    var sketch = [UInt8](repeating: 0, count: format.sketchBytes)
    var (keys, keyed, rows) = ([UInt64](), [Int](), [UInt8]())
    keys.reserveCapacity(batch.count * options.parameters.bands)
    rows.reserveCapacity(batch.count * format.bytes)
    for index in 0..<batch.count {
      minima.update(repeating: .max)
      var hasShingle = false
      batch.bytes.withUnsafeBytes { bytes in
        shingler.forEach(in: UnsafeRawBufferPointer(rebasing: bytes[batch.ranges[index]])) { shingles in
          hasShingle = true
          update(minima.baseAddress!, with: shingles)
        }
      }
      if hasShingle {
        appendKeys(of: UnsafeRawBufferPointer(minima), to: &keys)
        keyed.append(index)
      }
      Self.append(DocumentLocation(source: batch.source.index, line: batch.lines[index]).packed, to: &rows)
      if format.weight != nil {
        let weight = try options.keep.weight(of: index, in: batch)
        Self.append(weight.high, to: &rows)
        Self.append(weight.low, to: &rows)
      }
      if format.sketch != nil {
        for pair in 0..<format.sketchBytes {
          // The last of an odd number of hashes is paired with 0.
          let high = 2 * pair + 1 < options.hashes ? minima[2 * pair + 1] : 0
          sketch[pair] = UInt8(truncatingIfNeeded: minima[2 * pair] & 15 | high << 4)
        }
        rows.append(contentsOf: sketch)
      }
    }
    return BatchSignatures(keys: keys, keyed: keyed, rows: rows, documentCount: batch.count)
  }

  private static func append(_ word: UInt64, to rows: inout [UInt8]) {
    withUnsafeBytes(of: word.littleEndian) { rows.append(contentsOf: $0) }
  }

  private func appendKeys(of minima: UnsafeRawBufferPointer, to keys: inout [UInt64]) {
    let bytes = 4 * options.parameters.rows
    for band in 0..<options.parameters.bands {
      let part = UnsafeRawBufferPointer(rebasing: minima[(bytes * band)..<(bytes * (band + 1))])
      keys.append(Hashing.xxh3(part, seed: options.shingles.seed &+ UInt64(band) &* Hashing.goldenRatio))
    }
  }

  /// Estimates the similarity of two documents from their sketches, whose padding is equal, by b-bit minwise
  /// hashing (Li and König, 2010). With b = 4 the standard error is 4 % greater than with b = 8, at half the
  /// size.
  static func similarity(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, hashes: Int) -> Double {
    var equal = hashes - 2 * a.count
    for index in 0..<a.count {
      let difference = a[index] ^ b[index]
      equal += (difference & 15 == 0 ? 1 : 0) + (difference < 16 ? 1 : 0)
    }
    let chance = 1.0 / 16
    return max(0, (Double(equal) / Double(max(hashes, 1)) - chance) / (1 - chance))
  }
}
