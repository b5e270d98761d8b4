import Support

/// Removes duplicate documents, or parts of documents, by one of several methods.
package struct DedupStage {
  private let options: DedupOptions

  package init(_ options: DedupOptions) { self.options = options }

  /// Runs the method; if the state of an earlier run turns out to be damaged, says so and makes it again.
  package func run() throws -> Summary {
    do { return try runMethod() } catch let failure as Failure {
      guard let state = options.repeatableState, failure.kind == .badInput,
        failure.file?.hasPrefix(state + "/") == true
      else { throw failure }
      let damage = Failure(
        failure.kind, failure.message, file: failure.file, line: failure.line, offset: failure.offset)
      Log.warn("\(damage). The state in this directory is made again")
      try ResumableDirectory.clear(state)
      return try runMethod()
    }
  }

  private func runMethod() throws -> Summary {
    switch options.method {
    case .exact: try ExactDedup(options: options).run()
    case .paragraph: try ParagraphDedup(options: options).run()
    case .minhash: try MinHashDedup(options: options).run()
    case .substring: try SubstringDedup(options: options).run()
    case .none: try Decontamination(options: options).run()
    }
  }
}
