/// What a stage takes and makes.
package enum RecipeRole: Sendable {
  /// Documents in, documents out, split by split.
  case text
  /// Documents of `train` in, a tokenizer out.
  case learner
  /// Documents and a tokenizer in, a dataset out, split by split.
  case encoder
  /// Datasets in, one dataset out.
  case merger
}
