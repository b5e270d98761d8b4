import Model
import Support

/// Adam for the dense parameters and lazy Adam for the values of the memories, with their moments.
///
/// Dense: β and ε of the recipe, rate of the schedule. Values: β 0.9 and 0.999, ε 1e-8, a constant rate, and only the rows
/// that the step read are updated; the others keep their moments undecayed, and the bias correction counts all steps
/// (Lample et al., 2019, section 4.3, with the semantics of PyTorch's SparseAdam).
package final class Optimizer<Device: Operations> where Device.Scalar == Float {
  /// First and second moment of one parameter, of the shape of its value.
  private struct Moments {
    let first, second: Vector<Float>
  }

  private let model: Transformer<Device>
  private let moments: [Moments]
  private let arena: Arena
  /// Updates made so far, over all resumptions.
  package private(set) var updates = 0

  /// Throws if there is no memory for the moments, which take twice that of the parameters.
  package init(_ model: Transformer<Device>) throws(Failure) {
    self.model = model
    (moments, arena) = try ArenaPlan.build(on: model.device) { plan in
      model.parameters.map {
        Moments(
          first: plan.vector($0.name + ".first_moment", $0.count),
          second: plan.vector($0.name + ".second_moment", $0.count))
      }
    }
  }

  /// One update from the gradients in the model, clipped by the norm over all of them.
  package func step(_ configuration: TrainingConfiguration) {
    model.addSquaredNorms()
    let clipping = configuration.clip > 0 ? model.clipping(limit: configuration.clip) : nil
    let rate = configuration.learningRate.rate(afterUpdates: updates)
    updates += 1
    let step = AdamStep(
      learningRate: rate, beta1: configuration.betas[0], beta2: configuration.betas[1],
      epsilon: configuration.eps, step: updates, clipping: clipping)
    var valueStep = AdamStep(learningRate: configuration.valueLR, step: updates, clipping: clipping)
    let parameters = model.parameters
    for index in 0..<parameters.count {
      let parameter = parameters[index], moment = moments[index]
      switch parameter.role {
      case .dense:
        model.device.adam(
          parameter.value, parameter.operand, gradient: parameter.gradient!, m: moment.first,
          v: moment.second, step)
      case .memoryValues(let memory):
        let values = parameter.stored
        valueStep.roundingKey = RandomGenerator.mix(UInt64(updates) << 8 | UInt64(memory))
        model.device.lazyAdam(
          values, gradient: model.valueGradient(ofMemory: memory),
          m: moment.first.matrix(rows: values.rows, columns: values.columns),
          v: moment.second.matrix(rows: values.rows, columns: values.columns), valueStep)
      }
    }
  }

  // MARK: State in a checkpoint

  private var named: [(name: String, shape: [Int], numbers: Operand<Float>)] {
    zip(model.parameters, moments).flatMap { parameter, moment in
      [("first_moment", moment.first), ("second_moment", moment.second)].map {
        ("\(parameter.name).\($0)", parameter.shape, Operand($1.matrix(rows: 1, columns: parameter.count)))
      }
    }
  }

  package var tensors: [SafeTensors.Tensor] {
    named.map { SafeTensors.Tensor($0.name, shape: $0.shape, $0.numbers, on: model.device) }
  }

  package func restore(from contents: SafeTensors.Contents, updates: Int) throws {
    for (name, shape, numbers) in named {
      try contents.read(name, shape: shape, into: numbers, on: model.device)
    }
    self.updates = updates
  }
}
