import Foundation
import Model
import Support
import Testing

@Suite struct TransformerTests {
  /// Every parameter of the whole model against central differences, in Double.
  @Test(arguments: [
    (ModelConfiguration.Norm.post, 0.0, true), (.pre, 0.0, true), (.post, 0.3, true), (.pre, 0.3, false),
  ])
  func everyGradientMatchesFiniteDifferences(norm: ModelConfiguration.Norm, dropout: Double, batchNorm: Bool)
    throws
  {
    let sample = try Sample<Double>(smallConfiguration(norm, dropout: dropout, batchNorm: batchNorm))
    let model = sample.model
    // Larger weights than at the start, so that no gradient is drowned by rounding.
    for parameter in model.parameters where parameter.distributionIsNormal {
      model.device.scale(Vector(parameter.value), by: 8)
    }
    let scale = 1 / Double(sample.loss().count)
    model.zeroGradients()
    _ = sample.loss()
    model.backward(scale: scale)
    for parameter in model.parameters {
      let gradient: [Double]
      if let dense = parameter.gradient {
        gradient = Array(dense)
      } else {
        let touched = model.touchedRows(ofMemory: 0)
        var dense = [Double](repeating: 0, count: parameter.value.count)
        let d = touched.rows.columns
        for (row, slot) in touched.ids.enumerated() {
          for c in 0..<d { dense[Int(slot) * d + c] = touched.rows.pointer[row * d + c] }
        }
        gradient = dense
      }
      let error = gradientError(
        of: Vector(parameter.value), gradient: gradient, every: max(1, parameter.value.count / 60)
      ) { sample.loss().smoothed * scale }
      #expect(error < 1e-5, "\(parameter.name): \(error)")
    }
  }

  @Test(arguments: [ModelConfiguration.Norm.post, .pre])
  func lossAtTheStartIsThatOfGuessing(norm: ModelConfiguration.Norm) throws {
    var configuration = smallConfiguration(norm)
    configuration.dim = 48
    configuration.vocabularySize = 1000
    let sample = try Sample<Float>(configuration)
    let loss = sample.loss(smoothing: 0)
    #expect(abs(loss.nll / Double(loss.count) - log(1000)) < 0.1)
    #expect(loss.nll == loss.smoothed)
  }
}

extension Parameter {
  var distributionIsNormal: Bool { name.hasSuffix(".weight") || name.hasPrefix("embedding.tokens") }
}
