import Model
import Testing

/// Numbers of about -1.5...1.5 that depend on the seed and the name alone, each a Float.
func plainNumbers(_ count: Int, seed: UInt64, name: String) -> [Double] {
  // A linear congruential generator (Knuth's MMIX).
  var state = name.utf8.reduce(seed &* 2_654_435_761 &+ 1) { $0 &* 6_364_136_223_846_793_005 &+ UInt64($1) }
  func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 40) / 0x1p24
  }
  return (0..<count + 4).map { _ in Double(Float(uniform() + uniform() + uniform() - 1.5)) }.suffix(count)
}

extension PlainModel {
  /// Parameters large enough that every term of the model matters, which those at the start of a training are not.
  init(_ configuration: ModelConfiguration, seed: UInt64) {
    var configuration = configuration
    configuration.vocabularySize = Workbench.vocabularySize
    var tensors: [String: [Double]] = [:]
    for tensor in configuration.parameterDescriptions + configuration.bufferDescriptions {
      var numbers = plainNumbers(tensor.count, seed: seed, name: tensor.name)
      if tensor.name.hasSuffix("variance") {
        numbers = numbers.map { 1 + abs($0) / 2 }
      } else if tensor.name.hasSuffix("gamma") {
        numbers = numbers.map { 1 + $0 / 2 }
      } else if tensor.isBF16 {
        numbers = numbers.map { Double(Float(bitPattern: Float($0).bitPattern & 0xffff_0000)) }
      }
      tensors[tensor.name] = numbers.map { Double(Float($0)) }
    }
    self.init(configuration: configuration, tensors: tensors)
  }
}

extension PlainModel {
  /// A model of these parameters for evaluation and generation.
  func transformer<Device: Operations<Float>>(on device: Device, sequences: Int) throws -> Transformer<Device>
  {
    let model = try Transformer(
      configuration, device: device, batch: (sequences, configuration.context), training: false,
      isInitialized: false, seed: 0)
    for tensor in model.parameters + model.buffers {
      try #require(tensors[tensor.name]).map(Float.init).withUnsafeBytes {
        device.upload($0, to: tensor.stored.address)
      }
    }
    model.parametersChanged()
    return model
  }
}
