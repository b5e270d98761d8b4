import Foundation
import Shards
import Support

/// `report.html` in the work directory: what a run has made of its texts, as a page for people.
///
/// It shows the steps that have records and, if the last step has one, the dataset. Equal runs give equal pages except for
/// their times.
struct RunReport {
  let plan: RunPlan
  let steps: [StepCounts]
  let dataset: Dataset?
  let measures: DatasetMeasures?

  /// Measures the dataset, which takes some seconds.
  static func measure(_ plan: RunPlan, records: [(step: PlannedStep, record: WorkDirectory.Record)]) throws
    -> RunReport
  {
    let dataset = records.last?.step.key == plan.last.key ? try Dataset(plan.last.output) : nil
    return RunReport(
      plan: plan, steps: records.map { StepCounts($0.step, $0.record) }, dataset: dataset,
      measures: try dataset.map(DatasetMeasures.measure))
  }

  static func path(of plan: RunPlan) -> String { Path.join(plan.workDirectory, "report.html") }

  func write(to path: String) throws {
    let file = try OutputFile(path)
    try file.write(html)
    try file.finish()
  }

  private var html: String {
    let lead = "Made by \(Provenance.text) from \(plan.recipe.path)"
    let parts = [
      "<h1>\(ReportPage.escape(plan.output))</h1>\n<p class=\"lead\">\(ReportPage.escape(lead))</p>",
      tiles, funnel, removed, clusters, lengths, vocabulary, shards, times, recipe,
    ]
    return ReportPage.page(
      title: "\(Path.name(of: plan.output)): report", parts.filter { !$0.isEmpty }.joined(separator: "\n"))
  }

  /// Steps that take documents and give documents.
  private var textSteps: [StepCounts] {
    steps.filter { ["normalize", "filter", "dedup"].contains($0.step.name) }
  }

  private var splits: [String] {
    var splits: [String] = []
    for step in steps { if let split = step.step.split, !splits.contains(split) { splits.append(split) } }
    return splits.sorted { ($0 == "train" ? 0 : 1, $0) < ($1 == "train" ? 0 : 1, $1) }
  }

  private static func grouped(_ count: Int) -> String { TextColumns.grouped(count) }
  private static func scaled(_ count: Int, _ unit: String = "") -> String {
    Progress.scaled(Double(count), unit).trimmingCharacters(in: .whitespaces)
  }
  private static func percent(_ part: Int, of whole: Int) -> String {
    whole == 0 ? "–" : percent(Double(part) / Double(whole))
  }
  private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }

  private var tiles: String {
    var tiles: [(value: String, name: String, note: String)] = []
    let first = firstSteps
    if !first.isEmpty {
      let read = first.reduce(0) { $0 + ($1.count(.documentsIn) ?? 0) }
      tiles.append(
        (
          Self.scaled(read), "documents read",
          Self.scaled(first.reduce(0) { $0 + ($1.count(.bytesIn) ?? 0) }, "B")
        ))
      if let dataset {
        let totals = dataset.index.splits.values.reduce(into: DatasetIndex.Totals()) { $0 += $1 }
        let words = first.reduce(0) { $0 + ($1.wordsRead ?? 0) }
        tiles.append(
          (Self.percent(totals.documents, of: read), "of the documents read", Self.grouped(totals.documents)))
        tiles.append((Self.percent(totals.words, of: words), "of the words read", Self.grouped(totals.words)))
      }
    }
    if let dataset {
      let totals = dataset.index.splits.values.reduce(into: DatasetIndex.Totals()) { $0 += $1 }
      let plain = max(1, totals.tokens - totals.documents)
      tiles.append(
        (
          Self.scaled(totals.tokens), "tokens",
          String(
            format: "%.2f per word, %.2f bytes each", Double(plain) / Double(max(1, totals.words)),
            Double(totals.textBytes) / Double(plain))
        ))
      tiles.append(
        (Self.grouped(dataset.index.vocabularySize), "vocabulary", "\(dataset.index.tokenBytes) bytes per id")
      )
    }
    tiles.append(
      (Progress.duration(seconds), "of work", "by the clock, all stages"))
    return ReportPage.tiles(tiles)
  }

  /// The time of all stages; of stages that streamed into each other, that of the longest.
  private var seconds: Double {
    plan.chains.reduce(0) { sum, chain in
      let keys = chain.map { plan.steps[$0].key }
      return sum + (steps.filter { keys.contains($0.step.key) }.map(\.seconds).max() ?? 0)
    }
  }

  /// The first step of each split.
  private var firstSteps: [StepCounts] {
    splits.compactMap { split in steps.first { $0.step.split == split && $0.count(.documentsIn) != nil } }
  }

  /// Documents, words and bytes of text, stage by stage.
  private var funnel: String {
    struct Row {
      let name: String
      let documents, words, bytes: Int?
      var tokens: Int?
    }
    var tables: [String] = []
    for split in splits {
      let own = steps.filter { $0.step.split == split }
      guard let first = own.first else { continue }
      var rows = [
        Row(
          name: "read", documents: first.count(.documentsIn),
          words: first.wordsRead,
          bytes: first.count(.textBytesIn) ?? first.count(.textBytes))
      ]
      for (number, step) in own.enumerated() {
        // A step reads what the one before has written; not every step counts the words of both.
        let next = number + 1 < own.count ? own[number + 1] : nil
        let isEncoder = step.step.name == "encode"
        rows.append(
          Row(
            name: step.step.name, documents: step.count(.documentsOut),
            words: isEncoder ? step.count(.words) : step.count(.wordsOut) ?? next?.wordsRead,
            bytes: isEncoder ? step.count(.textBytes) : step.count(.textBytesOut),
            tokens: isEncoder ? step.count(.tokens) : nil))
      }
      func cell(_ value: Int?, _ whole: Int?) -> ReportPage.Cell {
        guard let value else { return .number("") }
        return .bar(Self.grouped(value), share: Double(value) / Double(max(1, whole ?? value)))
      }
      tables.append(
        ReportPage.table(
          ["stage", "documents", "words", "bytes of text", "of the words read", "tokens"],
          rows.map { row in
            [
              .text(row.name), cell(row.documents, rows[0].documents), cell(row.words, rows[0].words),
              cell(row.bytes, rows[0].bytes),
              .number(row.words.map { Self.percent($0, of: rows[0].words ?? 0) } ?? ""),
              .number(row.tokens.map(Self.grouped) ?? ""),
            ]
          }, caption: split))
    }
    guard !tables.isEmpty else { return "" }
    return ReportPage.section(
      "From text to tokens",
      "What each stage let through. Words are runs between white space; a token ends each document.",
      tables.joined(separator: "\n"))
  }

  private var removed: String {
    var parts: [String] = []
    for step in textSteps {
      let read = step.count(.documentsIn) ?? 0
      for (isWhole, unit) in [(true, "documents"), (false, "times")] {
        let removals = step.removals.filter { $0.isWholeDocuments == isWhole }.sorted {
          $0.removed > $1.removed
        }
        let most = removals.first?.removed ?? 1
        var below: [Int: String] = [:]
        for (number, removal) in removals.enumerated() {
          let samples = step.samples(of: removal.count)
          if samples.isEmpty { continue }
          below[number] = ReportPage.details(
            samples.count == 1 ? "a sample" : "\(samples.count) samples", ReportPage.quotes(samples))
        }
        parts.append(
          ReportPage.table(
            [isWhole ? "documents removed" : "parts removed", unit] + (isWhole ? ["of those read"] : []),
            removals.map { removal in
              [
                .explained(removal.name, removal.meaning),
                .bar(Self.grouped(removal.removed), share: Double(removal.removed) / Double(most)),
              ] + (isWhole ? [.number(Self.percent(removal.removed, of: read))] : [])
            }, caption: step.step.label, below: below))
      }
    }
    let remarks = steps.flatMap { step in
      step.remarks.map { name, count in
        [
          ReportPage.Cell.text(step.step.label),
          .text(name.words.joined(separator: " ")), .number(Self.grouped(count)),
        ]
      }
    }
    parts.append(
      ReportPage.table(["stage", "what", "times"], remarks, caption: "Repaired, skipped, noticed"))
    parts.removeAll(where: \.isEmpty)
    guard !parts.isEmpty else { return "" }
    return ReportPage.section(
      "What was removed", "By the first rule that a document failed. Samples are the first ones met.",
      parts.joined(separator: "\n"))
  }

  private var clusters: String {
    let tables = textSteps.compactMap { step -> String? in
      let clusters = step.clusters
      guard !clusters.isEmpty else { return nil }
      let most = clusters.map(\.count).max() ?? 1
      return ReportPage.table(
        ["documents in a cluster", "clusters"],
        clusters.map {
          [.text($0.size), .bar(Self.grouped($0.count), share: Double($0.count) / Double(most))]
        },
        caption: "\(step.step.label): \(Self.grouped(step.count(.clusters) ?? 0)) clusters, the largest of "
          + "\(Self.grouped(step.count(.largestCluster) ?? 0))")
    }
    guard !tables.isEmpty else { return "" }
    return ReportPage.section(
      "Duplicates",
      "Documents that are the same, or near to each other, by how many there are of them; one of each stays.",
      tables.joined(separator: "\n"))
  }

  private var lengths: String {
    guard let measures, measures.splits.contains(where: { $0.words.count > 0 }) else { return "" }
    var (words, tokens) = (LengthClasses(), LengthClasses())
    for split in measures.splits {
      words.add(split.words)
      tokens.add(split.tokens)
    }
    func row(_ name: String, _ lengths: LengthClasses) -> [ReportPage.Cell] {
      [.text(name)]
        + ([0.05, 0.5, 0.95].map { lengths.quantile($0) } + [lengths.mean, Double(lengths.longest)]).map {
          .number(Self.grouped(Int($0.rounded())))
        }
    }
    return ReportPage.section(
      "How long documents are", "All documents of the dataset, all splits together.",
      "<div class=\"two\">"
        + Self.chart(words, in: "words").html
        + Self.chart(tokens, in: "tokens").html + "</div>"
        + ReportPage.table(
          ["split", "5 % have at most", "half", "95 %", "mean", "longest"],
          measures.splits.filter { $0.words.count > 0 }.flatMap {
            [row("\($0.name), words", $0.words), row("\($0.name), tokens", $0.tokens)]
          }))
  }

  /// Documents by length, an octave to every fourth column.
  private static func chart(_ lengths: LengthClasses, in unit: String) -> ColumnChart {
    let first = max(0, (lengths.classes.firstIndex { $0 > 0 } ?? 0) - 1)
    let classes = lengths.classes[min(first, lengths.classes.count)...]
    let columns = zip(classes.indices, classes).map { number, count in
      let (from, to) = LengthClasses.bounds(of: number)
      let (least, beyond) = (Int(from.rounded(.up)), Int(to.rounded(.up)))
      let isLabelled = number % 4 == 1 && (classes.count <= 40 || number % 8 == 1)
      return ColumnChart.Column(
        value: Double(count),
        title: "\(grouped(least)) to \(grouped(max(least, beyond - 1))) \(unit): \(grouped(count)) documents",
        label: isLabelled ? shortened(least) : nil)
    }
    return ColumnChart(
      columns: columns, name: "documents by \(unit)",
      caption: "documents by \(unit), four columns per octave; the highest is \(grouped(classes.max() ?? 0))")
  }

  /// `4k`, `2M` for powers of two.
  private static func shortened(_ value: Int) -> String {
    value >= 1 << 20 ? "\(value >> 20)M" : value >= 1 << 10 ? "\(value >> 10)k" : String(value)
  }

  private var vocabulary: String {
    guard let dataset, let measures, measures.fertility.all.bytes > 0 else { return "" }
    let size = dataset.index.vocabularySize
    let counts = [10, 100, 1000, 10_000, 100_000].filter { $0 < size }
    let coverage = zip(counts, measures.coverage(ofMostFrequent: counts)).map { count, share in
      [ReportPage.Cell.text(Self.grouped(count)), .bar(Self.percent(share), share: share)]
    }
    let looked = measures.idCounts.reduce(0, +)
    let all = measures.fertility.all
    let scripts = measures.fertility.scripts.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
    func cells(_ name: String, _ totals: Fertility.Totals) -> [ReportPage.Cell] {
      let tokensPerWord = Double(totals.tokens) / Double(max(1, totals.words))
      return [
        .text(name == "-" ? "none (digits, signs)" : name),
        .bar(Self.grouped(totals.words), share: Double(totals.words) / Double(max(1, all.words))),
        .number(Self.grouped(totals.tokens)), .number(String(format: "%.2f", tokensPerWord)),
        .number(String(format: "%.2f", Double(totals.bytes) / Double(max(1, totals.tokens)))),
        .number(Self.percent(totals.wholeWords, of: totals.words)),
      ]
    }
    let unknown =
      measures.unknownTokens > 0 ? " \(Self.grouped(measures.unknownTokens)) tokens are unknown." : ""
    return ReportPage.section(
      "The vocabulary",
      "\(Self.grouped(measures.usedIDs)) of \(Self.grouped(size)) ids occur in the first \(Self.grouped(looked)) tokens of "
        + "\(measures.countedSplit). How texts fare is measured on \(Self.scaled(all.bytes, "B")) of "
        + "\(measures.heldOut.joined(separator: " and ")).\(unknown)",
      ReportPage.table(
        ["script", "words", "tokens", "tokens per word", "bytes per token", "words of one token"],
        scripts.map { cells($0.key, $0.value) } + (scripts.count > 1 ? [cells("all", all)] : []),
        caption: "Fertility by script")
        + ReportPage.table(
          ["most frequent ids", "share of the tokens"], coverage,
          caption: "How much a part of the vocabulary covers"))
  }

  private var shards: String {
    guard let dataset else { return "" }
    let rows = dataset.index.shards.map { shard in
      let size = (try? MappedFile(Path.join(dataset.path, shard.file)).bytes.count) ?? 0
      return [
        ReportPage.Cell.text(shard.file), .number(Self.grouped(shard.documents)),
        .number(Self.grouped(shard.words)), .number(Self.grouped(shard.tokens)),
        .number(Self.scaled(shard.bytes, "B")),
        .bar(Self.scaled(size, "B"), share: Double(size) / Double(max(1, shard.bytes))),
        .text(shard.xxh64),
      ]
    }
    let shown = rows.count > 200 ? Array(rows.prefix(200)) : rows
    return ReportPage.section(
      "Shards",
      "zstd seekable files of little-endian ids, \(dataset.index.tokenBytes) bytes each."
        + (rows.count > shown.count ? " The first \(shown.count) of \(rows.count)." : ""),
      ReportPage.table(
        ["file", "documents", "words", "tokens", "plain", "on disk", "XXH64 of the plain bytes"], shown))
  }

  private var times: String {
    let longest = steps.map(\.seconds).max() ?? 1
    let rows = steps.map { step -> [ReportPage.Cell] in
      let bytes = step.count(.bytesIn) ?? 0
      return [
        .text(step.step.label), .bar(String(format: "%.2f s", step.seconds), share: step.seconds / longest),
        .number(Self.scaled(bytes, "B")),
        .number(step.seconds > 0 ? String(format: "%.1f", Double(bytes) / step.seconds / 1e6) : ""),
      ]
    }
    return ReportPage.section(
      "Time",
      "By the clock, when each step was last run; stages that stream into each other run at once. MB/s of what a step read, uncompressed.",
      ReportPage.table(["step", "time", "read", "MB/s"], rows))
  }

  private var recipe: String {
    ReportPage.section(
      "The recipe", "As it was read when the run began.", "<pre>\(ReportPage.escape(plan.recipe.text))</pre>")
  }
}
