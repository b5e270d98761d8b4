import Foundation
import Model
import Support

/// The transformer with product-key memories, written out number by number in Double: what training, evaluation and
/// generation are compared with. It calls nothing of the code under test.
///
/// Embedding, attention and feed-forward follow Vaswani et al. (2017), with GELU (Hendrycks and Gimpel, 2016) and tied
/// embeddings; the memory follows Lample et al. (2019), section 3.
struct PlainModel {
  let configuration: ModelConfiguration
  /// Parameters and running statistics by the names of checkpoints, row by row.
  var tensors: [String: [Double]]

  /// For a training pass: the factor of element `element` at a dropout site, 0 or 1 / (1 - p).
  typealias DropoutFactor = (_ site: Int, _ element: Int) -> Double

  struct Read {
    let slot: Int
    let weight: Double
  }

  struct Pass {
    let tape: Tape
    /// The parameters on the tape.
    let parameters: [String: [Number]]
    /// A row for each token.
    var logits: [[Number]] = []
    /// For each memory and token, the slots that all heads read.
    var reads: [[[Read]]] = []
    /// Mean and biased variance of each channel of the queries, by the name of the batch norm.
    var statistics: [String: (mean: [Double], variance: [Double])] = [:]
  }

  /// `tokens` are sequences of `length` side by side. With `dropout` it is a training pass, which normalizes queries by the
  /// statistics of these tokens; without, by the running ones.
  func forward(_ tokens: [Int], length: Int, dropout: DropoutFactor?) -> Pass {
    let tape = Tape(isRecording: dropout != nil)
    var pass = Pass(tape: tape, parameters: tensors.mapValues { $0.map { tape.number($0) } })
    let c = configuration, d = c.dim
    func parameter(_ name: String) -> [Number] { pass.parameters[name]! }
    func row(_ matrix: [Number], _ row: Int) -> ArraySlice<Number> { matrix[row * d..<(row + 1) * d] }
    /// x Wᵀ + b
    func linear(_ name: String, _ x: [Number]) -> [Number] {
      let weight = parameter(name + ".weight"), bias = parameter(name + ".bias")
      return bias.indices.map { dot(x, weight[$0 * x.count..<($0 + 1) * x.count]) + bias[$0] }
    }
    /// γ (x - μ) / √(σ² + 1e-5) + β of one token (Ba et al., 2016).
    func layerNorm(_ name: String, _ x: [Number]) -> [Number] {
      let gamma = parameter(name + ".gamma"), beta = parameter(name + ".beta")
      let center = mean(x), deviation = (mean(x.map { ($0 - center) * ($0 - center) }) + 1e-5).squareRoot()
      return x.indices.map { gamma[$0] * (x[$0] - center) / deviation + beta[$0] }
    }
    func dropped(_ x: [Number], _ site: Int, _ token: Int) -> [Number] {
      x.indices.map { x[$0] * (dropout?(site, token * d + $0) ?? 1) }
    }
    func added(_ x: [[Number]], _ y: [[Number]]) -> [[Number]] {
      zip(x, y).map { zip($0, $1).map { $0 + $1 } }
    }

    let table = parameter("embedding.tokens"), positions = parameter("embedding.positions")
    var x = tokens.enumerated().map { index, token in
      zip(row(table, token), row(positions, index % length)).map { $0 + $1 }
    }
    if c.norm == .post { x = x.map { layerNorm("embedding.norm", $0) } }
    x = x.enumerated().map { dropped($1, 0, $0) }

    for layer in 0..<c.layers {
      let name = "blocks.\(layer)."
      // Post-norm: x ← LN(x + branch(x)). Pre-norm: x ← x + branch(LN(x)).
      func normed(_ norm: String, _ x: [[Number]], _ position: ModelConfiguration.Norm) -> [[Number]] {
        c.norm == position ? x.map { layerNorm(name + norm, $0) } : x
      }
      let heard = attention(normed("norm1", x, .pre).map { linear(name + "attention.input", $0) }, length)
      x = added(
        x,
        heard.enumerated().map { dropped(linear(name + "attention.output", $1), 2 * layer + 1, $0) })
      x = normed("norm1", x, .post)
      let input = normed("norm2", x, .pre)
      if c.memory?.layers.contains(layer + 1) == true {
        // Without dropout, as in the paper's code.
        x = added(
          x, memory(name + "memory.", input.map { linear(name + "memory.query", $0) }, &pass, dropout != nil))
      } else {
        let hidden = input.map { linear(name + "feed_forward.input", $0).map(gelu) }
        x = added(
          x,
          hidden.enumerated().map { dropped(linear(name + "feed_forward.output", $1), 2 * layer + 2, $0) })
      }
      x = normed("norm2", x, .post)
    }
    if c.norm == .pre { x = x.map { layerNorm("output.norm", $0) } }
    let bias = parameter("output.bias")
    pass.logits = x.map { x in bias.indices.map { dot(x, row(table, $0)) + bias[$0] } }
    return pass
  }

  private func gelu(_ x: Number) -> Number { x * (erf(x * 0.5.squareRoot()) + 1) * 0.5 }

  /// softmax(q kᵀ / √width) v of each head, where a token hears itself and those before it. A row holds queries, keys and
  /// values.
  private func attention(_ rows: [[Number]], _ length: Int) -> [[Number]] {
    let d = configuration.dim, width = d / configuration.heads
    return rows.indices.map { i in
      (0..<configuration.heads).flatMap { head in
        let first = head * width, heard = i / length * length...i
        let q = rows[i][first..<first + width]
        let weights = softmax(
          heard.map { dot(q, rows[$0][d + first..<d + first + width]) * (1 / Double(width).squareRoot()) })
        return (0..<width).map { c in dot(weights, heard.map { rows[$0][2 * d + first + c] }) }
      }
    }
  }

  /// A query has two halves, each with its own n sub-keys, and slot i · n + j has the score of sub-key i plus that of
  /// sub-key j. Each head sums the values of its k best slots, weighted by the softmax of their scores.
  private func memory(_ name: String, _ raw: [[Number]], _ pass: inout Pass, _ isTraining: Bool) -> [[Number]]
  {
    let memory = configuration.memory!, d = configuration.dim, n = memory.subkeys, half = memory.queryDim / 2
    let subkeys = pass.parameters[name + "subkeys"]!, values = pass.parameters[name + "values"]!
    let queries = memory.batchNorm ? batchNorm(name + "query_norm", raw, &pass, isTraining) : raw
    var reads: [[Read]] = []
    let results = queries.map { query -> [Number] in
      var readByToken: [Read] = []
      var terms: [(weight: Number, slot: Int)] = []
      for head in 0..<memory.heads {
        let scores = (0..<2).map { side in
          let part = query[(2 * head + side) * half..<(2 * head + side + 1) * half]
          return (0..<n).map { i in
            let first = ((2 * head + side) * n + i) * half
            return dot(part, subkeys[first..<first + half])
          }
        }
        let slots = (0..<n * n).map { scores[0][$0 / n] + scores[1][$0 % n] }
        let best = slots.indices.sorted { (slots[$1].value, $0) < (slots[$0].value, $1) }.prefix(memory.topk)
        for (slot, weight) in zip(best, softmax(best.map { slots[$0] })) {
          readByToken.append(Read(slot: slot, weight: weight.value))
          terms.append((weight, slot))
        }
      }
      reads.append(readByToken)
      return (0..<d).map { c in dot(terms.map(\.weight), terms.map { values[$0.slot * d + c] }) }
    }
    pass.reads.append(reads)
    return results
  }

  /// Ioffe and Szegedy (2015), algorithm 1, with the epsilon of PyTorch.
  private func batchNorm(_ name: String, _ x: [[Number]], _ pass: inout Pass, _ isTraining: Bool)
    -> [[Number]]
  {
    let gamma = pass.parameters[name + ".gamma"]!, beta = pass.parameters[name + ".beta"]!
    var y = x
    var statistics = (mean: [Double](), variance: [Double]())
    for channel in gamma.indices {
      let column = x.map { $0[channel] }
      let center = isTraining ? mean(column) : pass.parameters[name + ".running_mean"]![channel]
      let variance =
        isTraining
        ? mean(column.map { ($0 - center) * ($0 - center) })
        : pass.parameters[name + ".running_variance"]![channel]
      let deviation = (variance + 1e-5).squareRoot()
      for row in x.indices {
        y[row][channel] = gamma[channel] * (x[row][channel] - center) / deviation + beta[channel]
      }
      statistics.mean.append(center.value)
      statistics.variance.append(variance.value)
    }
    if isTraining { pass.statistics[name] = statistics }
    return y
  }
}

extension PlainModel {
  /// -log p[target] and the distance to the smoothed target distribution -Σ q log p, q = (1 - ε) [target] + ε / V.
  static func losses(_ logits: [Number], target: Int, smoothing: Double) -> (nll: Number, smoothed: Number) {
    let logSum = log(sum(logits.map(exp))), classes = Double(logits.count)
    let surprise = logits.map { logSum - $0 }
    let smoothed = sum(
      surprise.indices.map { surprise[$0] * (($0 == target ? 1 - smoothing : 0) + smoothing / classes) })
    return (surprise[target], smoothed)
  }
}
