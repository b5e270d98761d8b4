import Support

// The names of counts of documents that are read, normalized and filtered.
extension CountName {
  package static let blankLinesDropped = CountName("blank_lines_dropped")
  package static let blankLinesSkipped = CountName("blank_lines_skipped")
  package static let bomRemoved = CountName("bom_removed")
  package static let citationsRemoved = CountName("citations_removed")
  package static let controlsRemoved = CountName("controls_removed")
  package static let documentsChanged = CountName("documents_changed")
  package static let documentsDropped = CountName("documents_dropped")
  package static let documentsFlagged = CountName("documents_flagged")
  package static let documentsInvalid = CountName("documents_invalid")
  package static let documentsTooLong = CountName("documents_too_long")
  package static let documentsWithoutURL = CountName("documents_without_url")
  package static let httpBodiesDamaged = CountName("http_bodies_damaged")
  package static let httpBodiesDecodedBefore = CountName("http_bodies_decoded_before")
  package static let httpBodiesTruncated = CountName("http_bodies_truncated")
  package static let inputsChanged = CountName("inputs_changed")
  package static let inputsNotTextSkipped = CountName("inputs_not_text_skipped")
  package static let inputsDamaged = CountName("inputs_damaged")
  package static let inputsSkippedHeldOut = CountName("inputs_skipped_held_out")
  package static let inputsSkippedMade = CountName("inputs_skipped_made")
  package static let inputsSkippedOwn = CountName("inputs_skipped_own")
  package static let inputsSkippedRepeated = CountName("inputs_skipped_repeated")
  package static let inputsSkippedSpecial = CountName("inputs_skipped_special")
  package static let inputsWithJSONValues = CountName("inputs_with_json_values")
  package static let inputsWithCRLineEnds = CountName("inputs_with_cr_line_ends")
  package static let invalidCharactersReplaced = CountName("invalid_characters_replaced")
  package static let invalidUTF8Replaced = CountName("invalid_utf8_replaced")
  package static let jsonCommentsSkipped = CountName("json_comments_skipped")
  package static let jsonLinesBroken = CountName("json_lines_broken")
  package static let jsonLinesSplit = CountName("json_lines_split")
  package static let jsonTextsMissing = CountName("json_texts_missing")
  package static let jsonValuesSplit = CountName("json_values_split")
  package static let lineEndsToSpaces = CountName("line_ends_to_spaces")
  package static let loneSurrogatesReplaced = CountName("lone_surrogates_replaced")
  package static let unassignedCharacters = CountName("unassigned_characters")
  package static let warcBytesSkipped = CountName("warc_bytes_skipped")
  package static let warcLengthsWrong = CountName("warc_lengths_wrong")
  package static let warcRecords = CountName("warc_records")
  package static let warcRecordsMarkedTruncated = CountName("warc_records_marked_truncated")
  package static let warcRecordsTruncated = CountName("warc_records_truncated")

  /// The number of WARC records without plain text, by kind: `warc_records_skipped_html`.
  static func warcRecordsSkipped(_ kind: String) -> CountName { CountName(skippedPrefix + kind) }

  /// The kind of WARC records that a count is about; nil for other counts.
  package var skippedKind: String? {
    rawValue.hasPrefix(Self.skippedPrefix) ? String(rawValue.dropFirst(Self.skippedPrefix.count)) : nil
  }

  private static let skippedPrefix = "warc_records_skipped_"
}
