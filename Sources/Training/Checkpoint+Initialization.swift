import Model
import Support

extension Checkpoint {
  /// Which tensors of a model were not in the checkpoint that it was initialized from, and the other way round.
  package struct Difference {
    package var drawn: [String] = [], leftOut: [String] = []
  }

  /// Copies the parameters into a model of another run, whose own were drawn.
  ///
  /// The shape must be the same. Only memories may be added: their tensors stay as drawn, and those of the feed-forward
  /// layers whose place they take are left out.
  package func initialize(_ model: Transformer<some Operations<Float>>) throws -> Difference {
    try checkShape(of: model.configuration)
    let contents = try SafeTensors.Contents(checkedPath(of: .model))
    var difference = Difference(), left = contents.names
    for tensor in model.parameters + model.buffers {
      left.remove(tensor.name)
      if contents.shape(of: tensor.name) == nil && tensor.name.contains(".memory.") {
        difference.drawn.append(tensor.name)
      } else {
        try contents.read(tensor.name, shape: tensor.shape, into: tensor.stored, on: model.device)
      }
    }
    difference.leftOut = left.sorted()
    model.parametersChanged()
    return difference
  }

  private func checkShape(of new: ModelConfiguration) throws {
    let old = recipe.model
    var shape = new
    // What may differ.
    shape.dropout = old.dropout
    if let memory = old.memory {
      let given = shape.memory?.layers ?? []
      if Set(given).isSuperset(of: memory.layers) { shape.memory?.layers = memory.layers }
    } else {
      shape.memory = nil
    }
    guard shape != old else { return }
    let train = recipe.train
    let (was, now) = (
      TrainingRecipe(model: old, train: train).settings, TrainingRecipe(model: shape, train: train).settings
    )
    let differing = Set(was.keys).union(now.keys).sorted().filter { was[$0] != now[$0] }
    throw Failure(
      .usage,
      "has a model of another shape: "
        + differing.map { "\($0) is \(was[$0] ?? "not set") there, \(now[$0] ?? "not set") in the recipe" }
        .joined(separator: "; "), file: directory,
      remedy: "Leave these keys out of the recipe; only a memory can be added")
  }

  /// Throws unless the text of the dataset was encoded by the tokenizer of the model.
  package func checkTokenizer(sha256: String, vocabularySize: Int, of dataset: String) throws {
    let tokenizer = try checkedPath(of: .tokenizer)
    let own = try MappedFile.read(tokenizer).withUnsafeBytes { Hashing.sha256($0) }
    guard vocabularySize == recipe.model.vocabularySize, own == sha256 else {
      throw Failure(
        .badInput, "was encoded with a tokenizer other than the model's", file: dataset,
        remedy: "Encode the text with \(tokenizer)")
    }
  }
}
