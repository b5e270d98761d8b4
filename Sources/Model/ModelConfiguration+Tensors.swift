extension ModelConfiguration {
  /// The tensors that training changes, in the order of the forward pass.
  package var parameterDescriptions: [TensorDescription] {
    let d = dim
    let small = Distribution.normal(deviation: 0.02)
    // The more branches add to the stream, the smaller they start (Radford et al., 2019).
    let residual = Distribution.normal(deviation: 0.02 / Double(2 * layers).squareRoot())
    var all = [
      TensorDescription("embedding.tokens", [vocabularySize, d], small, isOperand: true),
      TensorDescription("embedding.positions", [context, d], small),
    ]
    func linear(_ name: String, _ out: Int, _ input: Int, _ distribution: Distribution) {
      all.append(TensorDescription(name + ".weight", [out, input], distribution, isOperand: true))
      all.append(TensorDescription(name + ".bias", [out], .constant(0)))
    }
    func scaleAndShift(_ name: String, _ width: Int) {
      all.append(TensorDescription(name + ".gamma", [width], .constant(1)))
      all.append(TensorDescription(name + ".beta", [width], .constant(0)))
    }
    if norm == .post { scaleAndShift("embedding.norm", d) }
    var memories = 0
    for layer in 0..<layers {
      let block = "blocks.\(layer)."
      linear(block + "attention.input", 3 * d, d, small)
      linear(block + "attention.output", d, d, residual)
      scaleAndShift(block + "norm1", d)
      if hasMemory(at: layer), let memory {
        let queries = memory.heads * memory.queryDim
        let bound = Distribution.uniform(bound: 1 / Double(d).squareRoot())
        all.append(TensorDescription(block + "memory.query.weight", [queries, d], bound, isOperand: true))
        all.append(TensorDescription(block + "memory.query.bias", [queries], bound))
        if memory.batchNorm { scaleAndShift(block + "memory.query_norm", queries) }
        let half = memory.queryDim / 2
        all.append(
          TensorDescription(
            block + "memory.subkeys", [memory.heads, 2, memory.subkeys, half],
            .uniform(bound: 1 / Double(half).squareRoot()), isOperand: true))
        all.append(
          TensorDescription(
            block + "memory.values", [memory.subkeys * memory.subkeys, d],
            .normal(deviation: 1 / Double(d).squareRoot()), memoryIndex: memories,
            isBF16: memory.values == .bf16))
        memories += 1
      } else {
        linear(block + "feed_forward.input", 4 * d, d, small)
        linear(block + "feed_forward.output", d, 4 * d, residual)
      }
      scaleAndShift(block + "norm2", d)
    }
    if norm == .pre { scaleAndShift("output.norm", d) }
    all.append(TensorDescription("output.bias", [vocabularySize], .constant(0)))
    return all
  }

  /// State of the model that is not trained: the running statistics of the query batch norms.
  package var bufferDescriptions: [TensorDescription] {
    guard let memory, memory.batchNorm else { return [] }
    return (0..<layers).filter(hasMemory).flatMap { layer in
      let name = "blocks.\(layer).memory.query_norm.running_"
      let width = memory.heads * memory.queryDim
      return [
        TensorDescription(name + "mean", [width], .constant(0)),
        TensorDescription(name + "variance", [width], .constant(1)),
      ]
    }
  }
}
