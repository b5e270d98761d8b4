/// The formats of data loaders that stream samples from shards: each document is one sample, whole.
package enum SampleFormat: String, Sendable, CaseIterable {
  /// MosaicML Streaming: `SPLIT/index.json` and `SPLIT/shard.00000.mds`; the column `tokens` is an array.
  case mds
  /// LitData, for its TokensLoader: `SPLIT/index.json` and `SPLIT/chunk-0-0.bin`.
  case litdata
  /// WebDataset: `SPLIT-000000.tar` and so on; each member `KEY.npy` is an array.
  case webdataset
}
