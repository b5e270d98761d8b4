import Foundation
import Model
import Support

/// The log-probability of each token of texts, from the tokens before it.
///
/// A text follows an end-of-document token, as a document does in training, so its first token is scored, too. One that is
/// longer than the context is scored in windows: the first has as many tokens as the context, each later one begins `stride`
/// tokens after the one before it and scores the tokens that no window before it has.
package final class TextScorer<Device: Operations> where Device.Scalar == Float {
  /// A scored token.
  package struct Score: Sendable, Equatable {
    /// Natural logarithm.
    package let logProbability: Double
    /// Whether no token is more probable; of equal ones the one with the smallest id is the best.
    package let isBest: Bool
  }

  /// Tokens in a row, the last of which are scored.
  package struct Text: Sendable {
    fileprivate let tokens: [Int32]
    fileprivate let firstScored: Int

    /// A whole document: every token and the end of the document.
    package init(document: [UInt32], endOfDocument: UInt32) {
      tokens = ([endOfDocument] + document + [endOfDocument]).map(Int32.init)
      firstScored = 1
    }

    /// The tokens that go on from others. What is too long for the context loses its beginning.
    package init(_ continuation: [UInt32], after context: [UInt32], endOfDocument: UInt32) {
      tokens = ([endOfDocument] + context + continuation).map(Int32.init)
      firstScored = context.count + 1
    }
  }

  /// Tokens of one text that are computed together; `scored` are the ones among them that are.
  private struct Window {
    let text: Int
    let inputs, scored: Range<Int>
  }

  private let model: Transformer<Device>
  private let pool: WorkerPool
  private let padding: Int32
  private let stride, sequences: Int
  /// A row for each token that is scored at once.
  private let logits: Matrix<Float>
  private var hostLogits: [Float]
  private let arena: Arena

  /// - Parameters:
  ///   - stride: from 1 to the model's context, which is the default: windows without a common token.
  ///   - sequences: computed at once, as many as the model was made for.
  package init(
    _ model: Transformer<Device>, pool: WorkerPool, endOfDocument: UInt32, stride: Int? = nil, sequences: Int
  ) throws {
    (self.model, self.pool, padding) = (model, pool, Int32(endOfDocument))
    self.stride = min(stride ?? .max, model.configuration.context)
    self.sequences = sequences
    let rows = min(128, sequences * model.configuration.context), width = model.configuration.vocabularySize
    (logits, arena) = try ArenaPlan.build(on: model.device) { $0.matrix("logits", rows, width) }
    hostLogits = [Float](repeating: 0, count: rows * width)
  }

  /// The scores of each text, one for each of its scored tokens.
  package func score(_ texts: [Text]) throws -> [[Score]] {
    let windows = texts.indices.flatMap { self.windows(of: texts[$0], index: $0) }
    var scores = texts.map { _ in [Score]() }
    for first in Swift.stride(from: 0, to: windows.count, by: sequences) {
      try Interruption.check()
      try score(Array(windows[first..<min(first + sequences, windows.count)]), of: texts, into: &scores)
    }
    return scores
  }

  private func windows(of text: Text, index: Int) -> [Window] {
    let context = model.configuration.context, end = text.tokens.count - 1
    // The input at a place predicts the token after it.
    let first = text.firstScored - 1
    if first > 0 && end - first <= context {
      return end > first
        ? [Window(text: index, inputs: max(0, end - context)..<end, scored: first..<end)] : []
    }
    var windows: [Window] = [], (start, done) = (0, first)
    while done < end {
      let inputs = start..<min(start + context, end)
      if inputs.upperBound > done {
        windows.append(Window(text: index, inputs: inputs, scored: done..<inputs.upperBound))
        done = inputs.upperBound
      }
      start += stride
    }
    return windows
  }

  private func score(_ windows: [Window], of texts: [Text], into scores: inout [[Score]]) throws {
    let length = windows.map(\.inputs.count).max() ?? 0
    var inputs: [Int32] = []
    var rows: [(row: Int, text: Int, target: Int32)] = []
    for (index, window) in windows.enumerated() {
      let tokens = texts[window.text].tokens
      inputs += tokens[window.inputs] + Array(repeating: padding, count: length - window.inputs.count)
      for place in window.scored {
        rows.append((index * length + place - window.inputs.lowerBound, window.text, tokens[place + 1]))
      }
    }
    inputs.withUnsafeBufferPointer {
      model.forward(tokens: $0, sequences: windows.count, length: length, mode: .evaluation)
    }
    // Rows ascend, so that those to come are not the ones that are overwritten.
    for first in Swift.stride(from: 0, to: rows.count, by: logits.rows) {
      let part = rows[first..<min(first + logits.rows, rows.count)]
      for (score, row) in zip(try score(part), part) { scores[row.text].append(score) }
    }
  }

  private func score(_ rows: ArraySlice<(row: Int, text: Int, target: Int32)>) throws -> [Score] {
    let width = logits.columns, count = rows.count
    model.logits(rows: rows.map(\.row), into: logits.rows(0..<count))
    hostLogits.withUnsafeMutableBytes {
      model.device.download(
        logits.address, into: .init(rebasing: $0[..<(count * width * MemoryLayout<Float>.stride)]))
    }
    let targets = rows.map(\.target)
    var scores = [Score](repeating: Score(logProbability: 0, isBest: false), count: count)
    hostLogits.withUnsafeBufferPointer { logits in
      scores.withUnsafeMutableBufferPointer { scores in
        pool.forEach(count) { row, _ in
          let logits = UnsafeBufferPointer(rebasing: logits[row * width..<(row + 1) * width])
          let target = Int(targets[row]), top = HostSoftmax.largest(of: logits)
          scores[row] = Score(
            logProbability: HostSoftmax.logProbability(of: target, in: logits, top: top),
            isBest: logits[target] == top && logits.firstIndex(of: top) == target)
        }
      }
    }
    if let wrong = scores.firstIndex(where: { !$0.logProbability.isFinite }) {
      throw Failure(
        .badInput, "the model gives no probability of token \(targets[wrong]): its logits are not numbers",
        remedy: "Use another checkpoint of the run: this one is damaged, or its training has diverged")
    }
    return scores
  }
}

extension HostSoftmax {
  /// ln softmax(logits)[id]; `top` is the largest logit.
  static func logProbability(of id: Int, in logits: UnsafeBufferPointer<Float>, top: Float) -> Double {
    let blocks = (logits.count + block - 1) / block
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: logits.count) { weights in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks) { sums in
        HostSoftmax.weights(of: logits, top: top, factor: 1, into: weights, sums: sums)
        return Double(logits[id]) - Double(top) - log(sums.reduce(0, +))
      }
    }
  }
}
