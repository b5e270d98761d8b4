import Model

/// What is wrong with a model whose numbers are no longer finite, or whose steps are skipped one after another.
struct Diagnosis {
  /// The first tensor that is not finite: a parameter, else a gradient.
  private(set) var notFinite: String?
  /// The parameter with the largest number, and that number.
  private(set) var largest = (name: "", size: Float(0))

  /// Tensors in the order of the forward pass.
  init(parameters: [SafeTensors.Tensor], gradients: [SafeTensors.Tensor] = []) {
    for parameter in parameters {
      let size = parameter.largest()
      if !size.isFinite && notFinite == nil { notFinite = parameter.name }
      if size > largest.size { largest = (parameter.name, size) }
    }
    if notFinite == nil { notFinite = gradients.first { !$0.largest().isFinite }?.name }
  }

  init(_ model: Transformer<some Operations<Float>>) {
    self.init(
      parameters: Checkpoint.tensors(of: model),
      gradients: model.parameters.compactMap { parameter in
        parameter.gradient.map {
          SafeTensors.Tensor(
            "the gradient of \(parameter.name)", shape: parameter.shape,
            Operand($0.matrix(rows: 1, columns: $0.count)), on: model.device)
        }
      })
  }

  /// The key of the rate that has moved the largest number.
  var rate: String { Self.rate(of: largest.name) }

  /// The key of the rate of a parameter or of its moments.
  static func rate(of tensor: String) -> String { tensor.contains(".memory.values") ? "value_lr" : "lr" }
}
