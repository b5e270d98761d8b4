import Model

/// The parts of a model that a recipe can freeze, or train at a rate of their own. Every parameter is in one group.
package enum ParameterGroup: String, CaseIterable, Sendable {
  /// Tokens and positions. The embedding of the tokens is the output matrix, too.
  case embeddings
  case attention
  case feedForward = "feed_forward"
  /// The network that makes queries of the hidden states, its batch norm included.
  case memoryQueries = "memory_queries"
  case memoryKeys = "memory_keys"
  case memoryValues = "memory_values"
  /// Layer norms.
  case norms
  case outputBias = "output_bias"

  /// The group of a parameter, from its name in checkpoints.
  package init(ofParameter name: String) {
    let parts = name.split(separator: ".")
    let place = parts[0] == "blocks" && parts.count > 2 ? parts[2] : parts[0]
    switch place {
    case "embedding": self = parts.count > 1 && parts[1] == "norm" ? .norms : .embeddings
    case "attention": self = .attention
    case "feed_forward": self = .feedForward
    case "memory":
      switch parts.last {
      case "values": self = .memoryValues
      case "subkeys": self = .memoryKeys
      default: self = .memoryQueries
      }
    case "output": self = parts.last == "bias" ? .outputBias : .norms
    default: self = .norms
    }
  }

  package static var names: [String] { allCases.map(\.rawValue) }
}

extension Parameter {
  /// Whether weight decay shrinks it: matrices only, and not the values of memories.
  var isDecayed: Bool { role == .dense && shape.count > 1 }
}
