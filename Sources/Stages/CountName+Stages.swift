import Support

// Counts of the stages.
extension CountName {
  package static let bands = CountName("bands")
  package static let bytes = CountName("bytes")
  package static let bytesOnDisk = CountName("bytes_on_disk")
  package static let bytesPerToken = CountName("bytes_per_token")
  package static let charactersKept = CountName("characters_kept")
  package static let charactersLeftOut = CountName("characters_left_out")
  package static let charactersLeftOutOccurrences = CountName("characters_left_out_occurrences")
  package static let clusters = CountName("clusters")
  package static let codec = CountName("codec")
  package static let createdBy = CountName("created_by")
  package static let distinctPreTokens = CountName("distinct_pre_tokens")
  package static let distinctUnits = CountName("distinct_units")
  package static let documents = CountName("documents")
  package static let documentsContaminated = CountName("documents_contaminated")
  package static let documentsDecoded = CountName("documents_decoded")
  package static let documentsEmptied = CountName("documents_emptied")
  package static let documentsEmpty = CountName("documents_empty")
  package static let documentsMarked = CountName("documents_marked")
  package static let documentsSeen = CountName("documents_seen")
  package static let documentsSplit = CountName("documents_split")
  package static let documentsTooShort = CountName("documents_too_short")
  package static let documentsWithoutWords = CountName("documents_without_words")
  package static let duplicatesRemoved = CountName("duplicates_removed")
  package static let encodings = CountName("encodings")
  package static let endOfDocument = CountName("end_of_document")
  package static let evaluationNgrams = CountName("evaluation_ngrams")
  package static let evaluationTexts = CountName("evaluation_texts")
  package static let evaluationTextsTooShort = CountName("evaluation_texts_too_short")
  package static let fieldsKept = CountName("fields_kept")
  package static let files = CountName("files")
  package static let icuVersion = CountName("icu_version")
  package static let kind = CountName("kind")
  package static let largestCluster = CountName("largest_cluster")
  package static let longestTokens = CountName("longest_tokens")
  package static let merges = CountName("merges")
  package static let mode = CountName("mode")
  package static let oneTokenWords = CountName("one_token_words")
  package static let output = CountName("output")
  package static let packing = CountName("packing")
  package static let path = CountName("path")
  package static let preTokenizer = CountName("pre_tokenizer")
  package static let preTokens = CountName("pre_tokens")
  package static let problems = CountName("problems")
  package static let rarePreTokensLeftOut = CountName("rare_pre_tokens_left_out")
  package static let recipe = CountName("recipe")
  package static let report = CountName("report")
  package static let rowGroups = CountName("row_groups")
  package static let rows = CountName("rows")
  package static let secondsCounting = CountName("seconds_counting")
  package static let secondsMerging = CountName("seconds_merging")
  package static let shards = CountName("shards")
  package static let spanBytesRemoved = CountName("span_bytes_removed")
  package static let spansRemoved = CountName("spans_removed")
  package static let charactersWithoutToken = CountName("characters_without_token")
  package static let addedTokens = CountName("added_tokens")
  package static let normalizer = CountName("normalizer")
  package static let postProcessor = CountName("post_processor")
  package static let decoder = CountName("decoder")
  package static let type = CountName("type")
  package static let unknownToken = CountName("unknown_token")
  package static let specialTokens = CountName("special_tokens")
  package static let superwords = CountName("superwords")
  package static let units = CountName("units")
  package static let stepsRun = CountName("steps_run")
  package static let stepsSkipped = CountName("steps_skipped")
  package static let temporaryFiles = CountName("temporary_files")
  package static let textBytes = CountName("text_bytes")
  package static let textBytesIn = CountName("text_bytes_in")
  package static let textBytesOut = CountName("text_bytes_out")
  package static let tokenizerSHA256 = CountName("tokenizer_sha256")
  package static let tokensPerWord = CountName("tokens_per_word")
  package static let unicodeVersion = CountName("unicode_version")
  package static let unitsIn = CountName("units_in")
  package static let unitsRemoved = CountName("units_removed")
  package static let unknownTokens = CountName("unknown_tokens")
  package static let vocabulary = CountName("vocabulary")
  package static let vocabularySize = CountName("vocabulary_size")
  package static let words = CountName("words")
  package static let wordsIn = CountName("words_in")
  package static let wordsOut = CountName("words_out")

  /// `clusters_of_2`, `clusters_of_4_to_7`.
  static func clusters(ofSizes sizes: ClosedRange<Int>) -> CountName {
    CountName("clusters_of_\(sizes.lowerBound)" + (sizes.count == 1 ? "" : "_to_\(sizes.upperBound)"))
  }

  /// A count of the evaluation sets: `evaluation_json_lines_broken`.
  static func evaluation(_ name: CountName) -> CountName { CountName("evaluation_\(name)") }

  /// The unit that was repeated most often, by its rank from 1: `top_repeated_1`.
  static func topRepeated(_ rank: Int) -> CountName { CountName("top_repeated_\(rank)") }

  /// The probability that a pair of this similarity is found: `probability_at_0.7`.
  static func probability(at similarity: Double) -> CountName { CountName("probability_at_\(similarity)") }

  /// `valid_documents`.
  package static func documents(ofSplit split: String) -> CountName { CountName("\(split)_documents") }

  /// `valid_tokens`.
  package static func tokens(ofSplit split: String) -> CountName { CountName("\(split)_tokens") }

  /// The speed of a part: `mb_per_second_encode_warm`.
  package static func megabytesPerSecond(_ part: String) -> CountName {
    CountName("mb_per_second_" + part.split(separator: " ").joined(separator: "_"))
  }

  var isOfClusters: Bool { rawValue.hasPrefix("clusters_of_") }

  var isOfSplit: Bool { rawValue.hasSuffix("_documents") || rawValue.hasSuffix("_tokens") }

  /// The words of the name.
  var words: [Substring] { rawValue.split(separator: "_") }
}
