import Support

/// Removes duplicate documents, or parts of documents, by one of several methods.
package struct DedupStage {
  private let options: DedupOptions

  package init(_ options: DedupOptions) { self.options = options }

  package func run() throws -> Summary {
    switch options.method {
    case .exact: try ExactDedup(options: options).run()
    case .paragraph: try ParagraphDedup(options: options).run()
    case .minhash: try MinHashDedup(options: options).run()
    case .substring: try SubstringDedup(options: options).run()
    case .none: try Decontamination(options: options).run()
    }
  }
}
