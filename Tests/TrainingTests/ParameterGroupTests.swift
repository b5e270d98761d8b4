import Model
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct ParameterGroupTests {
  /// Every parameter of both norms, with a memory and without.
  @Test func everyParameterHasItsGroup() {
    var groups: [String: Set<String>] = [:]
    for norm in [ModelConfiguration.Norm.pre, .post] {
      var model = ModelConfiguration()
      (model.layers, model.norm, model.vocabularySize, model.memory) = (2, norm, 7, .init())
      for parameter in model.parameterDescriptions {
        let group = ParameterGroup(ofParameter: parameter.name)
        #expect(group.rawValue == PlainTraining.group(parameter.name), "\(parameter.name)")
        groups[group.rawValue, default: []].insert(parameter.name)
      }
    }
    #expect(Set(groups.keys) == Set(ParameterGroup.names))
    #expect(groups["embeddings"] == ["embedding.tokens", "embedding.positions"])
    #expect(groups["memory_values"] == ["blocks.1.memory.values"])
    #expect(groups["output_bias"] == ["output.bias"])
    #expect(
      groups["norms"]?.isSuperset(of: ["output.norm.gamma", "embedding.norm.beta", "blocks.0.norm1.gamma"])
        == true)
  }
}
