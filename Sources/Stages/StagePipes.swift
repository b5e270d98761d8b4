import Support

/// The ends of the pipes that connect a stage with its neighbours in a recipe.
///
/// A stage without a pipe reads or writes the paths of its options.
package struct StagePipes: Sendable {
  package var input: InnerPipe?
  package var output: InnerPipe?

  package init(input: InnerPipe? = nil, output: InnerPipe? = nil) {
    (self.input, self.output) = (input, output)
  }
}
