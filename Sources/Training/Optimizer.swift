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
  /// The group of each parameter.
  private let groups: [ParameterGroup]
  /// Exponential means of the parameters, those of `train.ema`; none if they are not kept. Values in bf16 have none.
  private let averages: [Vector<Float>]
  /// Running statistics before the step at hand.
  private let statistics: [Vector<Float>]
  private let arena: Arena
  /// Updates made so far, over all resumptions; steps that were skipped count.
  package private(set) var updates = 0

  /// Throws if there is no memory for the moments, which take twice that of the parameters.
  package init(_ model: Transformer<Device>, keepsAverages: Bool = false) throws(Failure) {
    self.model = model
    groups = model.parameters.map { ParameterGroup(ofParameter: $0.name) }
    let (state, arena) = try ArenaPlan.build(on: model.device) { plan in
      (
        model.parameters.map {
          Moments(
            first: plan.vector($0.name + ".first_moment", $0.count),
            second: plan.vector($0.name + ".second_moment", $0.count))
        }, model.buffers.map { plan.vector($0.name + ".saved", $0.count) as Vector<Float> },
        keepsAverages
          ? model.parameters.map { plan.vector($0.name + ".average", $0.value.count) as Vector<Float> } : []
      )
    }
    (moments, statistics, averages, self.arena) = (state.0, state.1, state.2, arena)
  }

  /// Remembers the running statistics, which a forward pass moves.
  func saveStatistics() {
    for (buffer, copy) in zip(model.buffers, statistics) { model.device.copy(buffer.value, to: copy) }
  }

  /// Adds up the norm of all gradients that move something.
  func measure(_ configuration: TrainingConfiguration) {
    model.addSquaredNorms { !configuration.isFrozen(groups[$0]) }
  }

  /// A step that moves nothing: the running statistics become those of ``saveStatistics()`` again.
  func skip() {
    updates += 1
    for (buffer, copy) in zip(model.buffers, statistics) { model.device.copy(copy, to: buffer.value) }
  }

  /// One update from the gradients in the model, clipped by the norm that ``measure(_:)`` has added up.
  ///
  /// Weight decay is that of AdamW (Loshchilov and Hutter, 2019), decoupled from the gradient: p *= 1 - rate · decay before
  /// Adam's step.
  func update(_ configuration: TrainingConfiguration) {
    let clipping = configuration.clip > 0 ? model.clipping(limit: configuration.clip) : nil
    let rate = configuration.learningRate.rate(afterUpdates: updates)
    updates += 1
    var step = AdamStep(
      learningRate: rate, beta1: configuration.betas[0], beta2: configuration.betas[1],
      epsilon: configuration.eps, step: updates, clipping: clipping)
    var valueStep = AdamStep(learningRate: configuration.valueLR, step: updates, clipping: clipping)
    let parameters = model.parameters
    for index in 0..<parameters.count where !configuration.isFrozen(groups[index]) {
      let parameter = parameters[index], moment = moments[index]
      let factor = configuration.rateFactor(of: groups[index])
      switch parameter.role {
      case .dense:
        step.learningRate = rate * factor
        if configuration.weightDecay > 0 && parameter.isDecayed {
          model.device.scale(parameter.value, by: 1 - step.learningRate * configuration.weightDecay)
        }
        model.device.adam(
          parameter.value, parameter.operand, gradient: parameter.gradient!, m: moment.first,
          v: moment.second, step)
      case .memoryValues(let memory):
        let values = parameter.stored
        valueStep.learningRate = configuration.valueLR * factor
        valueStep.roundingKey = RandomGenerator.mix(UInt64(updates) << 8 | UInt64(memory))
        model.device.lazyAdam(
          values, gradient: model.valueGradient(ofMemory: memory),
          m: moment.first.matrix(rows: values.rows, columns: values.columns),
          v: moment.second.matrix(rows: values.rows, columns: values.columns), valueStep)
      }
    }
    if !averages.isEmpty { average(configuration) }
  }

  /// The averages begin with the parameters.
  package func startAverages() {
    for (parameter, average) in zip(model.parameters, averages) where average.count > 0 {
      model.device.copy(parameter.value, to: average)
    }
  }

  /// average += (1 - d) (p - average), where d grows with the updates to that of the recipe: min(d, (1 + t) / (10 + t)), so that
  /// what a run begins with is soon forgotten.
  func average(_ configuration: TrainingConfiguration) {
    let parameters = model.parameters
    let decay = min(configuration.ema, (1 + Double(updates)) / (10 + Double(updates)))
    for index in averages.indices
    where averages[index].count > 0 && !configuration.isFrozen(groups[index]) {
      model.device.scale(averages[index], by: decay / (1 - decay))
      model.device.add(parameters[index].value, to: averages[index])
      model.device.scale(averages[index], by: 1 - decay)
    }
  }

  // MARK: State in a checkpoint

  private var named: [(name: String, shape: [Int], numbers: Operand<Float>)] {
    zip(model.parameters, moments).flatMap { parameter, moment in
      [("first_moment", moment.first), ("second_moment", moment.second)].map {
        ("\(parameter.name).\($0)", parameter.shape, Operand($1.matrix(rows: 1, columns: parameter.count)))
      }
    } + namedAverages
  }

  private var namedAverages: [(name: String, shape: [Int], numbers: Operand<Float>)] {
    zip(model.parameters, averages).filter { $1.count > 0 }.map {
      (Checkpoint.averageName($0.name), $0.shape, Operand($1.matrix(rows: 1, columns: $1.count)))
    }
  }

  package var tensors: [SafeTensors.Tensor] {
    named.map { SafeTensors.Tensor($0.name, shape: $0.shape, $0.numbers, on: model.device) }
  }

  package func restore(from contents: SafeTensors.Contents, updates: Int) throws {
    let hasAverages = namedAverages.first.map { contents.shape(of: $0.name) != nil } ?? true
    // A run that has not begun.
    if !hasAverages && updates == 0 { startAverages() }
    for (name, shape, numbers) in named {
      if !hasAverages && updates == 0 && name.hasSuffix(".average") { continue }
      try contents.read(name, shape: shape, into: numbers, on: model.device)
    }
    self.updates = updates
  }
}
