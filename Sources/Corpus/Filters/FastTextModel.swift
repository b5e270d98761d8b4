import Foundation
import Support

/// The layout of a fastText model file, which the library believes when it loads one: a damaged size makes it take all
/// memory or read beyond its tables.
///
/// Every number is checked against the size of the file before the library sees it. The layout is that of
/// `FastText::saveModel` in version 0.9.2 (model versions 11 and 12): a magic number, the arguments, the dictionary, the
/// matrix of the words and n-grams, and that of the labels, each either of floats or quantized (Joulin et al., 2016,
/// arXiv 1612.03651, section 3.2).
struct FastTextModel {
  private let file: MappedFile
  private let path: String
  private var offset = 0
  private var dimension = 0

  /// Throws a usage ``Failure`` that says what is wrong and where.
  static func check(_ path: String) throws {
    // The library says that there is none.
    if !Path.exists(path) { return }
    var model = FastTextModel(file: try MappedFile(path), path: path)
    try model.check()
  }

  private init(file: MappedFile, path: String) { (self.file, self.path) = (file, path) }

  private static let magic = 793_712_314
  /// Of sub-vectors in a quantized matrix.
  private static let centroids = 256

  private func failure(_ problem: String) -> Failure {
    Failure(
      .usage, "the language model \(problem)", file: path, offset: offset, remedy: LanguageIdentifier.remedy)
  }

  private mutating func check() throws {
    guard file.bytes.count >= 8, try integer("magic number", 0...Int(Int32.max)) == Self.magic else {
      offset = 0
      throw failure("is not a fastText model")
    }
    let version = try integer("version", 1...12)
    dimension = try integer("dim", 1...1 << 16)
    for name in ["ws", "epoch", "minCount", "neg"] { _ = try integer(name, Int(Int32.min)...Int(Int32.max)) }
    let wordNgrams = try integer("wordNgrams", 0...32)
    _ = try integer("loss", 1...4)
    guard try integer("model", 1...3) == 3 else { throw failure("contains word vectors, not a classifier") }
    let bucket = try integer("bucket", 0...Int(Int32.max))
    _ = try integer("minn", 0...32)
    // Version 11 stored a length that it did not use.
    let longest = try integer("maxn", 0...32) * (version == 11 ? 0 : 1)
    _ = try integer("lrUpdateRate", Int(Int32.min)...Int(Int32.max))
    try skip(8, "t")
    if bucket == 0 && (longest > 0 || wordNgrams > 1) { throw failure("has n-grams and no buckets for them") }
    let (words, labels, pruned) = try dictionary(bucket: bucket)
    let ngrams = pruned ?? (longest > 0 || wordNgrams > 1 ? bucket : 0)
    let isQuantized = try integer("quantized", 0...1, bytes: 1) == 1
    if pruned != nil && !isQuantized { throw failure("is pruned and not quantized") }
    guard try matrix("input", isQuantized: isQuantized) >= words + ngrams else {
      throw failure("has fewer vectors than words and n-grams")
    }
    let isOutputQuantized = try integer("quantized output", 0...1, bytes: 1) == 1
    guard try matrix("output", isQuantized: isQuantized && isOutputQuantized) == labels else {
      throw failure("has another number of vectors than of labels (\(labels))")
    }
  }

  /// Words and labels; of a pruned model also the number of n-grams that have a vector.
  private mutating func dictionary(bucket: Int) throws -> (words: Int, labels: Int, pruned: Int?) {
    let size = try integer("number of entries", 1...file.bytes.count / 10)
    let words = try integer("number of words", 0...size)
    guard case let labels = try integer("number of labels", 1...size), words + labels == size else {
      throw failure("says that it has \(words) words among \(size) entries, and another number of labels")
    }
    _ = try integer("number of tokens", 0...1 << 53, bytes: 8)
    let pruned = try integer("number of pruned n-grams", -1...file.bytes.count / 8, bytes: 8)
    // The tree of a hierarchical softmax takes 10^15 for infinity: more, and its branches never end.
    var left = 1 << 49
    for entry in 0..<size {
      let rest = file.bytes[offset...]
      guard let end = rest.prefix(1 << 16).firstIndex(of: 0) else {
        throw failure("has a word without an end")
      }
      offset = end + 1
      left -= try integer("count of a word", 0...left, bytes: 8)
      guard try integer("type of a word", 0...1, bytes: 1) == (entry < words ? 0 : 1) else {
        throw failure("has words among its labels")
      }
    }
    if pruned < 0 { return (words, labels, nil) }
    for _ in 0..<pruned {
      _ = try integer("n-gram", 0...max(0, bucket - 1))
      _ = try integer("vector of an n-gram", 0...max(0, pruned - 1))
    }
    return (words, labels, pruned)
  }

  /// Checks a matrix and returns the number of its rows.
  private mutating func matrix(_ name: String, isQuantized: Bool) throws -> Int {
    let hasNorms = isQuantized ? try integer("norms of the \(name)", 0...1, bytes: 1) == 1 : false
    let rows = try integer("rows of the \(name)", 0...file.bytes.count, bytes: 8)
    guard try integer("columns of the \(name)", 0...1 << 16, bytes: 8) == dimension else {
      throw failure("has vectors of another size than dim (\(dimension)) in its \(name)")
    }
    if !isQuantized {
      try skip(rows.multipliedReportingOverflow(by: 4 * dimension), "the \(name)")
      return rows
    }
    let codes = try integer("codes of the \(name)", 0...file.bytes.count)
    try skip(codes, "the codes of the \(name)")
    let parts = try quantizer(name, dimension: dimension)
    guard rows * parts == codes else {
      throw failure("has \(codes) codes for \(rows) vectors in its \(name)")
    }
    if hasNorms {
      try skip(rows, "the norms of the \(name)")
      _ = try quantizer("norms", dimension: 1)
    }
    return rows
  }

  /// Checks the centroids of a quantized matrix and returns into how many parts a vector is cut.
  private mutating func quantizer(_ name: String, dimension: Int) throws -> Int {
    guard try integer("dimension of the \(name)", 0...1 << 16) == dimension else {
      throw failure("has a quantizer of another size in its \(name)")
    }
    let parts = try integer("parts of the \(name)", 1...dimension)
    let width = try integer("width of a part of the \(name)", 1...dimension)
    let last = try integer("width of the last part of the \(name)", 1...width)
    guard (parts - 1) * width + last == dimension else {
      throw failure("has parts that do not add up to a vector in its \(name)")
    }
    try skip(4 * dimension * Self.centroids, "the centroids of the \(name)")
    return parts
  }

  /// The next little-endian integer, which must be in a range.
  private mutating func integer(_ name: String, _ range: ClosedRange<Int>, bytes: Int = 4) throws -> Int {
    let start = offset
    try skip(bytes, name)
    let value =
      switch bytes {
      case 1: Int(file.bytes[start])
      case 4: Int(Int32(littleEndian: file.bytes.loadUnaligned(fromByteOffset: start, as: Int32.self)))
      default: Int(Int64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: start, as: Int64.self)))
      }
    guard range.contains(value) else {
      offset = start
      throw failure(
        "is damaged: \(name) is \(value), which is not \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private mutating func skip(_ product: (partialValue: Int, overflow: Bool), _ name: String) throws {
    try skip(product.overflow ? Int.max : product.partialValue, name)
  }

  private mutating func skip(_ count: Int, _ name: String) throws {
    guard count <= file.bytes.count - offset else {
      throw failure("is truncated: it ends before \(name) does")
    }
    offset += count
  }
}
