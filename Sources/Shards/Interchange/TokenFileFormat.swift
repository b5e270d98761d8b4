/// Formats of token ids that other trainers read and write.
///
/// All of them are little-endian; none is compressed or checksummed.
package enum TokenFileFormat: String, Sendable, CaseIterable {
  /// `PREFIX.bin` of ids and nothing else, and `PREFIX.idx` that says where documents lie: Megatron-LM and GPT-NeoX.
  case megatron
  /// A header of 256 `int32` and ids, the end-of-document id **before** each document: llm.c.
  case llmc
  /// Ids and nothing else: nanoGPT.
  case nanogpt
  /// A one-dimensional NumPy array.
  case numpy
}
