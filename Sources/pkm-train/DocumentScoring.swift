import ArgumentParser
import Commands
import Corpus
import Foundation
import Model
import Support
import Tokenization
import Training

/// How texts that are no dataset are read and scored.
struct DocumentOptions: ParsableArguments {
  enum Splitting: String, CaseIterable, ExpressibleByArgument { case line, paragraph, file }

  @Option(
    help: ArgumentHelp(
      "How plain text is split into documents: line, paragraph or file (default: file).", valueName: "name"))
  var documents: Splitting?

  @Option(help: ArgumentHelp("The field with the text in JSON lines (default: text).", valueName: "name"))
  var textField: String?

  @Option(
    help: ArgumentHelp(
      "A document longer than the context is scored in windows that begin so many tokens after each other: fewer give each token more text before it (default: the context).",
      valueName: "tokens"))
  var stride: Int?

  func validate() throws {
    if let stride, !(1...1 << 20).contains(stride) {
      throw ValidationError("--stride must be between 1 and 1048576, not \(stride)")
    }
  }

  fileprivate var reader: ReaderOptions {
    ReaderOptions(
      splitting: documents.flatMap { DocumentSplitting(rawValue: $0.rawValue) } ?? .file,
      textField: textField ?? "text")
  }
}

/// Scores texts with the model of a checkpoint.
struct DocumentScoring<Device: Operations> where Device.Scalar == Float {
  typealias Scorer = TextScorer<Device>

  /// A document with its tokens, the log-probability of each, and that of its end.
  struct Document {
    let file: String
    /// The line that it begins at, counted from 1.
    let line: Int
    let text: UnsafeRawBufferPointer
    let tokens: [UInt32]
    let scores: [Double]
  }

  private let encoder: BPEEncoder
  private let endOfDocument: UInt32
  private let scorer: Scorer

  init(
    _ checkpoint: Checkpoint, averaged: Bool, stride: Int?, sequences: Int, on device: Device,
    pool: WorkerPool
  ) throws {
    encoder = BPEEncoder(try TokenizerFile.load(checkpoint.checkedPath(of: .tokenizer)))
    guard let end = encoder.tokenizer.endOfDocument else {
      throw Failure(.badInput, "has no end-of-document token", file: checkpoint.path(of: .tokenizer))
    }
    endOfDocument = end
    let context = checkpoint.recipe.model.context
    if let stride, stride > context {
      throw Failure(.usage, "--stride is \(stride), but the context of the model has \(context) tokens")
    }
    let model = try checkpoint.makeModel(on: device, maximumSequences: sequences)
    try checkpoint.restore(model, averaged: averaged)
    scorer = try Scorer(model, pool: pool, endOfDocument: end, stride: stride, sequences: sequences)
  }

  /// Calls `body` with each document, and returns what was met while reading.
  func score(_ files: [String], _ options: DocumentOptions, isQuiet: Bool, _ body: (Document) throws -> Void)
    throws -> Summary
  {
    let reader = try DocumentReader(inputs: files, options: options.reader)
    let progress = Progress("scoring", unit: " tokens", isQuiet: isQuiet)
    var counts = Summary(), done = 0
    while let batch = try reader.next() {
      counts.merge(batch.counts)
      for warning in batch.warnings { Log.warn(warning) }
      var tokens: [[UInt32]] = []
      batch.forEachDocument { _, text in tokens.append(encoder.encode(Array(text))) }
      let scores = try scorer.score(tokens.map { .init(document: $0, endOfDocument: endOfDocument) })
      try batch.forEachDocument { index, text in
        try body(
          Document(
            file: batch.source.path, line: batch.lines[index], text: text, tokens: tokens[index],
            scores: scores[index].map(\.logProbability)))
        done += tokens[index].count + 1
      }
      progress.update(done: done)
    }
    progress.finish()
    return counts
  }

  /// The sum of each choice of a question, and whether it is what the model itself would write.
  func score(_ questions: [ChoiceQuestion]) throws -> [[(sum: Double, isBest: Bool)]] {
    let texts = questions.map { question in
      question.choices.indices.map { index in
        let (context, choice) = question.tokens(ofChoice: index) { encoder.encode(Array($0.utf8)) }
        return Scorer.Text(choice, after: context, endOfDocument: endOfDocument)
      }
    }
    var scores = try scorer.score(texts.flatMap { $0 })[...]
    return texts.map { choices in
      defer { scores = scores.dropFirst(choices.count) }
      return scores.prefix(choices.count).map { choice in
        (sum: choice.reduce(0) { $0 + $1.logProbability }, isBest: choice.allSatisfy(\.isBest))
      }
    }
  }
}
