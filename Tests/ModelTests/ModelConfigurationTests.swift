import Foundation
import Support
import Testing

@testable import Model

@Suite(.timeLimit(.minutes(60))) struct ModelConfigurationTests {
  func decode(_ text: String) throws -> ModelConfiguration {
    try JSONDecoder().decode(ModelConfiguration.self, from: Data(text.utf8))
  }

  @Test func keysNotGivenTakeDefaults() throws {
    #expect(try decode("{}") == ModelConfiguration())
    let some = try decode(
      #"{"norm": "pre", "vocabulary_size": 9, "memory": {"layers": [3], "query_dim": 64, "batch_norm": false}}"#
    )
    #expect(some.norm == .pre && some.vocabularySize == 9 && some.dim == 256)
    #expect(some.memory?.layers == [3] && some.memory?.queryDim == 64 && some.memory?.batchNorm == false)
    #expect(some.memory?.subkeys == 512 && some.memory?.topk == 32 && some.memory?.heads == 4)
  }

  @Test func encodingAndDecodingKeepEverything() throws {
    let configuration = smallConfiguration(.pre, dropout: 0.25, batchNorm: false)
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: data) == configuration)
    let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(Set(object.keys) == Set(ModelConfiguration.keys))
    let memory = try #require(object["memory"] as? [String: Any])
    #expect(Set(memory.keys) == Set(ModelConfiguration.Memory.keys))
  }

  @Test func eachMistakeIsNamed() throws {
    try smallConfiguration().validate()
    func mistake(_ change: (inout ModelConfiguration) -> Void) -> String {
      var configuration = smallConfiguration()
      change(&configuration)
      do {
        try configuration.validate()
        return "valid"
      } catch { return error.message }
    }
    #expect(mistake { $0.heads = 5 } == "model.heads (5) does not divide dim (12)")
    #expect(mistake { $0.layers = 0 } == "model.layers is 0")
    #expect(mistake { $0.dropout = 1 } == "model.dropout is 1.0")
    #expect(mistake { $0.vocabularySize = 0 } == "model.vocabulary_size is 0")
    #expect(mistake { $0.memory?.layers = [3] } == "model.memory.layers names layer 3 of 2")
    #expect(mistake { $0.memory?.layers = [1, 1] } == "model.memory.layers is [1, 1]")
    #expect(mistake { $0.memory?.topk = 7 } == "model.memory.topk is 7 with 6 sub-keys")
    #expect(mistake { $0.memory?.queryDim = 7 } == "model.memory.query_dim is 7")
    #expect(mistake { $0.memory?.subkeys = 1 << 20 } == "model.memory.subkeys is 1048576")
  }

  /// Names are unique and the shapes are the reference's.
  @Test func tensorsOfTheModel() {
    let all = smallConfiguration().parameterDescriptions
    #expect(Set(all.map(\.name)).count == all.count)
    let shapes = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0.shape) })
    #expect(shapes["blocks.1.memory.values"] == [36, 12])
    #expect(shapes["blocks.1.memory.subkeys"] == [2, 2, 6, 4])
    #expect(shapes["blocks.1.memory.query.weight"] == [16, 12])
    #expect(shapes["blocks.1.feed_forward.input.weight"] == nil)
    #expect(shapes["blocks.0.feed_forward.input.weight"] == [48, 12])
    #expect(shapes["embedding.norm.gamma"] == [12] && shapes["output.norm.gamma"] == nil)
    #expect(smallConfiguration(.pre).parameterDescriptions.contains { $0.name == "output.norm.gamma" })
  }

  /// GPT-2's for the transformer (Radford et al., 2019), those of PyTorch's linear layers for queries, and those of the paper's
  /// code for sub-keys and values.
  @Test func parametersBeginAsTheirSourcesSay() throws {
    for norm in [ModelConfiguration.Norm.post, .pre] {
      let configuration = smallConfiguration(norm)
      let d = 12.0, half = 4.0, layers = 2.0
      for tensor in configuration.parameterDescriptions + configuration.bufferDescriptions {
        let name = tensor.name
        let right: Distribution =
          if name.hasSuffix("attention.output.weight") || name.hasSuffix("feed_forward.output.weight") {
            // Two branches of each layer add to the stream.
            .normal(deviation: 0.02 / (2 * layers).squareRoot())
          } else if name.contains("memory.query.") {
            .uniform(bound: 1 / d.squareRoot())
          } else if name.hasSuffix("subkeys") {
            .uniform(bound: 1 / half.squareRoot())
          } else if name.hasSuffix("values") {
            .normal(deviation: 1 / d.squareRoot())
          } else if name.hasSuffix("gamma") || name.hasSuffix("running_variance") {
            .constant(1)
          } else if name.hasSuffix("beta") || name.hasSuffix("bias") || name.hasSuffix("running_mean") {
            .constant(0)
          } else {
            .normal(deviation: 0.02)
          }
        #expect(tensor.distribution == right, "\(name)")
      }
    }
  }

  /// Mean, spread and shape of what is drawn.
  @Test func distributionsAreDrawnAsTheySay() throws {
    let bed = TestBed(ReferenceOperations<Float>()), count = 40_000
    func draw(_ distribution: Distribution) -> [Double] {
      let x = bed.vector(count)
      bed.device.initialize(Operand(x.matrix(rows: 1, columns: count)), distribution, seed: 3)
      return bed.numbers(x)
    }
    func moments(_ x: [Double]) -> (mean: Double, deviation: Double) {
      let mean = x.reduce(0, +) / Double(count)
      return (mean, (x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)).squareRoot())
    }
    let normal = draw(.normal(deviation: 0.5)), uniform = draw(.uniform(bound: 0.5))
    #expect(abs(moments(normal).mean) < 0.01 && abs(moments(normal).deviation / 0.5 - 1) < 0.02)
    // 68.3 % lie within one deviation, 95.4 % within two.
    #expect(abs(Double(normal.count { abs($0) < 0.5 }) / Double(count) - 0.6827) < 0.01)
    #expect(abs(Double(normal.count { abs($0) < 1 }) / Double(count) - 0.9545) < 0.005)
    #expect(
      abs(moments(uniform).mean) < 0.01
        && abs(moments(uniform).deviation / (0.5 / 3.0.squareRoot()) - 1) < 0.02)
    #expect(uniform.allSatisfy { abs($0) <= 0.5 } && uniform.map(abs).max()! > 0.499)
    #expect(draw(.constant(0.25)).allSatisfy { $0 == 0.25 })
  }
}
