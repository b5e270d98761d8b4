import Foundation
import Model
import Support

/// Every key of a recipe with its default, unit and meaning, as YAML that reads as the defaults.
package struct RecipeTemplate {
  /// A key, its unit and what it means. The key of a memory begins with `memory.`.
  package struct Key: Sendable {
    package let key, unit, meaning: String

    init(_ key: String, _ unit: String, _ meaning: String) {
      (self.key, self.unit, self.meaning) = (key, unit, meaning)
    }
  }

  package static let model = [
    Key("layers", "layers", "Each has an attention, then a feed-forward layer or a memory."),
    Key("dim", "numbers", "Width of the hidden states; feed-forward layers are four times as wide."),
    Key("heads", "heads", "Of each attention; they divide dim."),
    Key("context", "tokens", "The longest sequence."),
    Key("dropout", "probability", "Of the embedding and of each branch."),
    Key("norm", "pre, post", "Layer norm before each branch, or after each sum."),
    Key("vocabulary_size", "tokens", "The dataset decides; 0 in a recipe."),
    Key("memory.layers", "list", "Layers, counted from 1, whose feed-forward layer is a memory."),
    Key("memory.subkeys", "sub-keys", "Of each half of a query; a memory has the square of it of slots."),
    Key("memory.heads", "heads", "Queries of each token; they share the values."),
    Key("memory.topk", "slots", "Read by each head."),
    Key("memory.query_dim", "numbers", "Width of a query, both halves together."),
    Key("memory.batch_norm", "true, false", "Batch normalization of the queries."),
    Key("memory.values", "fp32, bf16", "How the values are stored."),
  ]

  package static let train = [
    Key("batch", "sequences", "Of each step."),
    Key(
      "micro_batch", "sequences",
      "Computed at once; less needs less memory. It divides batch, which is the default."),
    Key(
      "packing", "stream, document",
      "How documents become sequences; by default as the dataset says, or stream."),
    Key("steps", "steps", "Updates in all."),
    Key("precision", "fp32, bf16", "Of the matrix products."),
    Key("recompute", "true, false", "Computes activations twice to save memory; same result."),
    Key("seed", "number", "Of the parameters, the order of the data and dropout."),
    Key("lr", "rate", "Highest learning rate of everything but the values of memories."),
    Key("warmup", "steps", "The rate rises to lr in a line."),
    Key(
      "schedule", "name",
      "After the warm-up: inverse-sqrt, constant, or to the end of the run cosine, linear or warmup-stable-decay."
    ),
    Key("lr_end", "share of lr", "The last rate of cosine, linear and warmup-stable-decay."),
    Key("decay", "share of steps", "At the end, in which warmup-stable-decay falls."),
    Key("value_lr", "rate", "Constant learning rate of the values of memories."),
    Key(
      "lr_scales", "factors",
      "Of the rates of some groups of parameters, as in {attention: 0.5}. Groups: "
        + ParameterGroup.names.joined(separator: ", ") + "."),
    Key("freeze", "list", "Groups of parameters that stay as they are."),
    Key("weight_decay", "rate", "Of AdamW; norms, biases and values do not decay."),
    Key(
      "ema", "decay",
      "Of a mean of the parameters, for --average of eval, score and generate; 0 keeps none."),
    Key("betas", "numbers", "Of Adam; the values have 0.9 and 0.999."),
    Key("eps", "number", "Of Adam; the values have 1e-8."),
    Key("clip", "norm", "The largest norm of a gradient; 0 does not clip."),
    Key("label_smoothing", "share", "Of the target, spread over all tokens."),
    Key("spike", "factor", "Skips steps with a gradient above so many times its mean norm; 0 skips none."),
    Key("max_skips", "steps", "Skipped in a row before the run stops."),
    Key("eval_every", "steps", "Between evaluations; 0 evaluates only at the end."),
    Key("eval_tokens", "tokens", "Scored in each evaluation but the last; 0 scores all."),
    Key("checkpoint_every", "steps", "Between checkpoints; 0 writes only the last."),
    Key(
      "background_checkpoints", "true, false",
      "Writes checkpoints while training goes on; takes memory for a copy of parameters and moments."),
    Key("keep_checkpoints", "checkpoints", "The newest so many are kept,"),
    Key("keep_every", "steps", "and those whose step is a multiple of it; 0 keeps none of them,"),
    Key("keep_best", "true, false", "and the one with the least loss on the validation split."),
    Key("log_every", "steps", "Between lines of metrics.jsonl."),
  ]

  /// The template, with lines of at most 79 columns but for long lists of names.
  package static func yaml() throws -> String {
    var recipe = TrainingRecipe(model: ModelConfiguration(), train: TrainingConfiguration())
    recipe.model.memory = .init()
    let values = try JSONValue(parsing: JSONFile.bytes(of: recipe))
    var text = """
      # Every key of a recipe of pkm-train with its default; each may be left out.
      # A comment gives the unit and the meaning. Check one with:
      #   pkm-train config --check FILE

      model:

      """
    for key in model where !key.key.hasPrefix("memory.") {
      text += entry(key, values["model"]?[key.key], indent: "  ")
    }
    text += """

        # Without this section the model is dense: no memory.
        # memory:

      """
    for key in model where key.key.hasPrefix("memory.") {
      let name = String(key.key.dropFirst("memory.".count))
      text += entry(Key(name, key.unit, key.meaning), values["model"]?["memory"]?[name], indent: "  #   ")
    }
    text += "\ntrain:\n"
    for key in train { text += entry(key, values["train"]?[key.key], indent: "  ") }
    return text
  }

  /// The comment and the line of a key; a key without a value is a comment, too.
  private static func entry(_ key: Key, _ value: JSONValue?, indent: String) -> String {
    var lines: [String] = [], line = indent.hasSuffix("#   ") ? indent + "#" : indent + "#"
    let head = line
    for word in "\(key.meaning) (\(key.unit))".split(separator: " ") {
      if line.count + 1 + word.count > 79 && line != head {
        lines.append(line)
        line = head
      }
      line += " " + word
    }
    lines.append(line)
    lines.append(value.map { "\(indent)\(key.key): \(yaml($0))" } ?? "\(indent)# \(key.key):")
    return lines.map { $0 + "\n" }.joined()
  }

  private static func yaml(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let number): Int(exactly: number).map { "\($0)" } ?? "\(number)"
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    case .array(let values): "[\(values.map(yaml).joined(separator: ", "))]"
    case .object(let members):
      "{\(members.map { "\(String(decoding: $0.key, as: UTF8.self)): \(yaml($0.value))" }.joined(separator: ", "))}"
    }
  }
}
