import Commands
import Foundation
import Support
import Training

/// The HTML page of ``Report``: the results of the runs, then their curves, then their recipes.
struct RunsPage {
  let runs: [RunCurves]

  var html: String {
    let names = runs.map(\.name).joined(separator: ", ")
    return ReportPage.page(
      title: runs.count == 1 ? "Training run \(names)" : "\(runs.count) training runs",
      """
      <h1>\(ReportPage.escape(names))</h1>
      <p class="lead">Perplexities come from the loss without label smoothing. Tokens are those of each run's tokenizer.</p>
      \(results)
      \(ReportPage.section("Curves", "Plotted over the tokens seen.", legend + "<div class=\"two\">\(charts)</div>"))
      \(recipes)
      """)
  }

  private var results: String {
    func number(_ value: Double?, _ format: String) -> ReportPage.Cell {
      .number(value.map { String(format: format, $0) } ?? "")
    }
    func scaled(_ count: Int?) -> ReportPage.Cell {
      .number(
        count.map { Progress.scaled(Double($0), "").trimmingCharacters(in: .whitespaces) } ?? "")
    }
    let split = Set(runs.map(\.evaluatedSplit)).subtracting([""]).sorted().joined(separator: ", ")
    return ReportPage.section(
      "Results", split.isEmpty ? "Not evaluated yet." : "At the last evaluation, on \(split).",
      ReportPage.table(
        [
          "run", "parameters", "in values", "steps", "tokens", "perplexity per token", "per word",
          "bits per byte", "slots used", "KL", "tokens/s",
        ],
        runs.map { run in
          [
            .text(run.name), scaled(run.parameters?.dense), scaled(run.parameters?.values),
            .number("\(run.step)"), scaled(run.tokens), number(run.last(.perplexity), "%.2f"),
            number(run.last(.wordPerplexity), "%.1f"), number(run.last(.bitsPerByte), "%.4f"),
            number(run.last(.memoryUsage(layer: nil)).map { 100 * $0 }, "%.1f %%"),
            number(run.last(.memoryKL(layer: nil)), "%.3f"), number(run.tokensPerSecond, "%.0f"),
          ]
        }))
  }

  /// The names of the runs with the colors of their curves.
  private var legend: String {
    guard runs.count > 1 else { return "" }
    let items = runs.enumerated().map { number, run in
      "<span><i style=\"background:\(LineChart.color(number))\"></i>\(ReportPage.escape(run.name))</span>"
    }
    return "<p class=\"legend\">\(items.joined())</p>"
  }

  private var charts: String {
    let evaluations: [(CountName, String, Bool)] = [
      (.perplexity, "Perplexity per token, held out", true),
      (.bitsPerByte, "Bits per byte, held out", false),
      (.memoryUsage(layer: nil), "Share of memory slots used", false),
      (.memoryKL(layer: nil), "KL of the slot weights from uniform, nats", false),
    ]
    let training: [(CountName, String, Bool)] = [
      (.nll, "Training loss without label smoothing, nats per token", false),
      (.loss, "Training loss with label smoothing, nats per token", false),
      (.gradientNorm, "Gradient norm before clipping", true),
      (.learningRate, "Learning rate", false), (.tokensPerSecond, "Training speed, tokens/s", false),
    ]
    let held = evaluations.map { name, title, isLogarithmic in
      LineChart(title: title, curves: runs.map { $0.evaluations[name] ?? [] }, isLogarithmic: isLogarithmic)
    }
    let trained = training.map { name, title, isLogarithmic in
      LineChart(title: title, curves: runs.map { $0.training[name] ?? [] }, isLogarithmic: isLogarithmic)
    }
    return (held.prefix(1) + trained.prefix(1) + held.dropFirst() + trained.dropFirst()).map(\.html)
      .joined(separator: "\n")
  }

  /// The keys in which the recipes differ, then the keys that they share.
  private var recipes: String {
    let settings = runs.map(\.settings)
    let keys = Set(settings.flatMap(\.keys)).sorted()
    guard !keys.isEmpty else { return "" }
    func rows(_ keys: [String]) -> [[ReportPage.Cell]] {
      keys.map { key in [.text(key)] + settings.map { .text($0[key] ?? "") } }
    }
    let differing = keys.filter { key in Set(settings.map { $0[key] ?? "" }).count > 1 }
    let common = keys.filter { !differing.contains($0) }
    let all = ReportPage.table(["key"] + runs.map(\.name), rows(common))
    return ReportPage.section(
      "Recipes",
      runs.count == 1
        ? "" : differing.isEmpty ? "The recipes are the same." : "The recipes differ in these keys.",
      ReportPage.table(["key"] + runs.map(\.name), rows(differing))
        + (runs.count == 1 ? all : ReportPage.details("keys that all recipes share", all)))
  }
}
