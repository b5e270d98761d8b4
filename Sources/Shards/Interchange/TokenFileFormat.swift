/// The formats of token files of other trainers.
///
/// All of them are little-endian, and none is compressed or has checksums.
package enum TokenFileFormat: String, Sendable, CaseIterable {
  /// Megatron-LM and GPT-NeoX: `PREFIX.bin` contains only ids, and `PREFIX.idx` the positions of documents.
  case megatron
  /// llm.c: a header of 256 `int32` and then ids, with the end-of-document id **before** each document.
  case llmc
  /// nanoGPT: only ids.
  case nanogpt
  /// A one-dimensional NumPy array.
  case numpy
}
