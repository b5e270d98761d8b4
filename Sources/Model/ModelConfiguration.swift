import Support

/// Everything that decides the shape of a model; every checkpoint contains it.
package struct ModelConfiguration: Codable, Sendable, Equatable {
  /// The position of the layer norms: after each residual sum, as in the paper, or before each branch.
  package enum Norm: String, NamedChoice { case post, pre }

  package var layers = 4
  /// d, the width of the residual stream; the feed-forward layers are 4 d wide.
  package var dim = 256
  package var heads = 4
  /// Longest sequence, in tokens.
  package var context = 256
  package var dropout = 0.0
  package var norm = Norm.post
  package var memory: Memory?
  /// Set by the tokenizer of the data.
  package var vocabularySize = 0

  package init() {}

  /// The product-key memories of a model (Lample et al., 2019, section 3), all of one shape.
  package struct Memory: Codable, Sendable, Equatable {
    /// Layers, counted from 1, whose feed-forward the memory replaces.
    package var layers = [2]
    /// n: sub-keys per half; a memory has n² slots.
    package var subkeys = 512
    package var heads = 4
    /// k: slots read per head.
    package var topk = 32
    /// Per head, both halves together.
    package var queryDim = 512
    /// Batch normalization of the queries.
    package var batchNorm = true
    /// How values are stored: bf16 halves the bytes that are read; its updates are rounded stochastically.
    package var values = EngineSettings.Precision.fp32

    package init() {}

    package enum CodingKeys: String, CodingKey, CaseIterable {
      case layers, subkeys, heads, topk, values
      case queryDim = "query_dim"
      case batchNorm = "batch_norm"
    }

    package init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      layers = try keys.decodeIfPresent([Int].self, forKey: .layers) ?? layers
      subkeys = try keys.decodeIfPresent(Int.self, forKey: .subkeys) ?? subkeys
      heads = try keys.decodeIfPresent(Int.self, forKey: .heads) ?? heads
      topk = try keys.decodeIfPresent(Int.self, forKey: .topk) ?? topk
      queryDim = try keys.decodeIfPresent(Int.self, forKey: .queryDim) ?? queryDim
      batchNorm = try keys.decodeIfPresent(Bool.self, forKey: .batchNorm) ?? batchNorm
      values = try keys.decodeIfPresent(EngineSettings.Precision.self, forKey: .values) ?? values
    }

    /// The keys a recipe may use; others are mistakes.
    package static var keys: [String] { CodingKeys.allCases.map(\.rawValue) }

    package var shape: MemoryShape {
      MemoryShape(heads: heads, subkeys: subkeys, topk: topk, queryDimension: queryDim)
    }
  }

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case layers, dim, heads, context, dropout, norm, memory
    case vocabularySize = "vocabulary_size"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    layers = try values.decodeIfPresent(Int.self, forKey: .layers) ?? layers
    dim = try values.decodeIfPresent(Int.self, forKey: .dim) ?? dim
    heads = try values.decodeIfPresent(Int.self, forKey: .heads) ?? heads
    context = try values.decodeIfPresent(Int.self, forKey: .context) ?? context
    dropout = try values.decodeIfPresent(Double.self, forKey: .dropout) ?? dropout
    norm = try values.decodeIfPresent(Norm.self, forKey: .norm) ?? norm
    memory = try values.decodeIfPresent(Memory.self, forKey: .memory)
    vocabularySize = try values.decodeIfPresent(Int.self, forKey: .vocabularySize) ?? vocabularySize
  }

  /// The keys a recipe may use; others are mistakes.
  package static var keys: [String] { CodingKeys.allCases.map(\.rawValue) }

  package var headDimension: Int { dim / heads }

  /// Whether layer `index`, counted from 0, holds a memory.
  package func hasMemory(at index: Int) -> Bool { memory?.layers.contains(index + 1) ?? false }

  /// The whole numbers of the configuration and what each may be, by their keys; a memory has the square of its
  /// sub-keys of slots, which 32 bits number.
  package var wholeNumbers: [(key: String, value: Int, range: ClosedRange<Int>)] {
    var numbers = [
      ("layers", layers, 1...1 << 12), ("dim", dim, 1...1 << 20), ("heads", heads, 1...1 << 20),
      ("context", context, 1...1 << 20), ("vocabulary_size", vocabularySize, 1...Int(Int32.max)),
    ]
    if let memory {
      numbers += [
        ("memory.subkeys", memory.subkeys, 1...46340), ("memory.heads", memory.heads, 1...1 << 12),
        ("memory.topk", memory.topk, 1...46340), ("memory.query_dim", memory.queryDim, 2...1 << 20),
      ]
    }
    return numbers
  }

  /// Throws what is wrong with the first setting that cannot be built, in a message that begins with its key.
  package func validate() throws(Failure) {
    func require(_ holds: Bool, _ problem: String, _ remedy: String) throws(Failure) {
      if !holds { throw Failure(.usage, "model." + problem, remedy: remedy) }
    }
    for (key, value, range) in wholeNumbers {
      try require(
        range.contains(value), "\(key) is \(value)", "Use \(range.lowerBound) to \(range.upperBound)")
    }
    try require(dim % heads == 0, "heads (\(heads)) does not divide dim (\(dim))", "Choose a divisor of dim")
    try require(
      dropout >= 0 && dropout < 1, "dropout is \(dropout)", "Use a probability from 0 up to, not including, 1"
    )
    func requireParameters(_ count: Double) throws(Failure) {
      try require(
        count <= 0x1p44,
        "dim is \(dim) with \(layers) layers, which is more parameters than a machine can hold",
        "Use a smaller width, fewer layers or fewer sub-keys")
    }
    let dense =
      Double(vocabularySize + context) * Double(dim) + 12 * Double(layers) * Double(dim) * Double(dim)
    try requireParameters(dense)
    guard let memory else { return }
    try require(
      !memory.layers.isEmpty && Set(memory.layers).count == memory.layers.count,
      "memory.layers is \(memory.layers)", "List each layer once, counted from 1, or leave out memory")
    for layer in memory.layers {
      try require(
        (1...layers).contains(layer), "memory.layers names layer \(layer) of \(layers)", "Layers count from 1"
      )
    }
    try require(
      memory.topk <= memory.subkeys,
      "memory.topk is \(memory.topk) with \(memory.subkeys) sub-keys", "Use 1 up to the number of sub-keys")
    try require(
      memory.queryDim % 2 == 0, "memory.query_dim is \(memory.queryDim)",
      "Use an even number: each half of a query has its own sub-keys")
    let (subkeys, query) = (Double(memory.subkeys), Double(memory.heads) * Double(memory.queryDim))
    try requireParameters(
      dense + Double(memory.layers.count)
        * (subkeys * subkeys * Double(dim) + query * (Double(dim) + subkeys)))
  }
}
