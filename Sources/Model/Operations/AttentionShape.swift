/// The sizes of a self-attention: sequences of one length, and heads.
package struct AttentionShape: Sendable {
  package let sequences: Int
  package let length: Int
  package let heads: Int
  package let headDimension: Int

  package init(sequences: Int, length: Int, heads: Int, headDimension: Int) {
    self.sequences = sequences
    self.length = length
    self.heads = heads
    self.headDimension = headDimension
  }
}
