import Support

/// How many documents the user expects in the inputs.
package enum ExpectedDocuments: Sendable, Equatable {
  case some
  case exactly(Int)
}

extension ReaderOptions {
  /// Throws if the inputs hold other numbers of documents than they should: none although they are not empty, or not
  /// what ``expected`` says. `counts` are those of the reader, `otherFields` those of a batch.
  package func check(documents: Int, counts: Summary, otherFields: String?) throws {
    switch expected {
    case .some where documents == 0:
      throw Failure(
        .badInput, "no document was read, and --expect-documents asks for some",
        remedy: counts.count(.bytesIn) == 0
          ? "The input is empty: did the command before it fail?" : remedy(counts, otherFields))
    case .exactly(let count) where documents != count:
      throw Failure(
        .badInput, "\(documents) documents were read, and --expect-documents asks for \(count)",
        remedy: "Check the input")
    default: break
    }
    let hasContent = [CountName.bytesIn, .inputsNotTextSkipped, .inputsDamaged].contains {
      counts.count($0) > 0
    }
    if documents > 0 || !hasContent || allowsEmpty { return }
    throw Failure(
      .badInput, "the input is not empty but holds no document",
      remedy: remedy(counts, otherFields) + "; --allow-empty accepts it")
  }

  /// Throws because files of documents that are known already are not empty but hold none: nothing would be found, and
  /// the corpus would look as if it shared nothing with them.
  package func refuseEmptySeen(counts: Summary, otherFields: String?) throws {
    if allowsEmpty { return }
    throw Failure(
      .badInput, "the files of --seen are not empty but hold no document",
      remedy: remedy(counts, otherFields) + "; --allow-empty accepts it")
  }

  /// What has become of the input.
  private func remedy(_ counts: Summary, _ otherFields: String?) -> String {
    let (missing, broken) = (counts.count(.jsonTextsMissing), counts.count(.jsonLinesBroken))
    if missing > 0 {
      return "\(missing) JSON objects have no text in the field \"\(textField)\""
        + (otherFields.map { ": the first has \($0)" } ?? "") + "; --text-field names another"
    }
    if broken > 0 {
      return "\(broken) lines are no JSON objects: check the file, or say --input-format text"
    }
    let skipped = counts.entries.filter { $0.name.rawValue.hasPrefix("warc_records_skipped_") }
    if !skipped.isEmpty {
      let kinds = skipped.map {
        "\($0.name.rawValue.dropFirst("warc_records_skipped_".count)) \(counts.count($0.name))"
      }
      return
        "Of its WARC records (\(kinds.joined(separator: ", "))) none is plain text: extract the text of HTML "
        + "first, or read the WET files"
    }
    if counts.count(.bytesIn) == 0 && counts.count(.inputsDamaged) > 0 {
      return "Its files are cut or damaged before their first document: fetch them again"
    }
    if counts.count(.inputsNotTextSkipped) > 0 { return "None of its files is text" }
    if counts.count(.documentsTooLong) > 0 { return "Its documents are longer than --max-document-size" }
    if counts.count(.documentsInvalid) > 0 { return "--invalid drop has dropped all of them" }
    return "It holds blank lines only, or records without text"
  }
}
