import Foundation
import Model
import Support

package typealias LanguageModel = Transformer<CPUOperations<Float>>
package typealias LanguageModelOptimizer = Optimizer<CPUOperations<Float>>

/// Adam for the dense parameters and lazy Adam for the values of the memories, with the moments they keep.
///
/// Dense: β and ε of the recipe, rate of the schedule. Values: β 0.9 and 0.999, ε 1e-8, constant rate, and only the rows read
/// in the step are touched; rows not read keep their moments undecayed, and the bias correction counts all steps
/// (Lample et al. 2019, section 4.1, trained with PyTorch's SparseAdam semantics).
package final class Optimizer<Device: Operations> where Device.Scalar == Float {
  /// First and second moment of one parameter, the shape of its value.
  private struct Moments {
    let first, second: UnsafeMutableBufferPointer<Float>

    init(count: Int, _ plan: inout ArenaPlan) {
      first = UnsafeMutableBufferPointer(start: plan.take("first moment", Float.self, count), count: count)
      second = UnsafeMutableBufferPointer(start: plan.take("second moment", Float.self, count), count: count)
    }
  }

  private let model: Transformer<Device>
  private let moments: [Moments]
  private let arena: Arena
  /// Updates made so far, over all resumptions.
  package private(set) var updates = 0

  /// Throws if there is no room for the moments, twice that of the parameters.
  package init(_ model: Transformer<Device>) throws(Failure) {
    self.model = model
    (moments, arena) = try ArenaPlan.build { plan in
      model.parameters.map { Moments(count: $0.count, &plan) }
    }
  }

  /// One update from the gradients in the model.
  ///
  /// Returns the global norm of the gradient before clipping, over all dense gradients and those of
  /// values.
  package func step(_ configuration: TrainingConfiguration) -> Double {
    let device = model.device
    var square = 0.0
    for parameter in model.parameters {
      if let gradient = parameter.gradient { square += device.squaredNorm(Vector(gradient)) }
    }
    for memory in 0..<model.memoryCount {
      square += device.squaredNorm(model.valueGradient(ofMemory: memory))
    }
    let norm = square.squareRoot()
    let scale = configuration.clip > 0 && norm > configuration.clip ? configuration.clip / norm : 1

    let rate = configuration.learningRate.rate(afterUpdates: updates)
    updates += 1
    let step = AdamStep(
      learningRate: rate, beta1: configuration.betas[0], beta2: configuration.betas[1],
      epsilon: configuration.eps,
      step: updates, gradientScale: scale)
    var valueStep = AdamStep(learningRate: configuration.valueLR, step: updates, gradientScale: scale)
    let parameters = model.parameters
    for index in 0..<parameters.count {
      let parameter = parameters[index], moment = moments[index]
      switch parameter.role {
      case .dense:
        device.adam(
          Vector(parameter.value), parameter.operand, gradient: Vector(parameter.gradient!),
          m: Vector(moment.first),
          v: Vector(moment.second), step)
      case .memoryValues(let index):
        let values = parameter.stored
        func table(_ moment: UnsafeMutableBufferPointer<Float>) -> Matrix<Float> {
          Matrix(moment.baseAddress!, rows: values.rows, columns: values.columns)
        }
        valueStep.roundingKey = RandomGenerator.mix(UInt64(updates) << 8 | UInt64(index))
        device.lazyAdam(
          values, gradient: model.valueGradient(ofMemory: index), m: table(moment.first),
          v: table(moment.second), valueStep)
      }
    }
    return norm
  }

  // MARK: State in a checkpoint

  package var tensors: [SafeTensors.Tensor] {
    zip(model.parameters, moments).flatMap { parameter, moment in
      [
        .init("\(parameter.name).first_moment", shape: parameter.shape, UnsafeBufferPointer(moment.first)),
        .init("\(parameter.name).second_moment", shape: parameter.shape, UnsafeBufferPointer(moment.second)),
      ]
    }
  }

  package func restore(from contents: SafeTensors.Contents, updates: Int) throws {
    for (parameter, moment) in zip(model.parameters, moments) {
      try contents.read("\(parameter.name).first_moment", shape: parameter.shape, into: moment.first)
      try contents.read("\(parameter.name).second_moment", shape: parameter.shape, into: moment.second)
    }
    self.updates = updates
  }
}
