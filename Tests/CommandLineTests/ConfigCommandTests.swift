import Foundation
import TestSupport
import Testing

/// The recipe that `config` prints, and its check.
@Suite(.timeLimit(.minutes(60))) struct ConfigCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func check(_ file: String, _ more: String...) throws -> Subprocess.Result {
    try Tool.train.run(["config", "--check", file] + more, in: scratch.url)
  }

  /// As printed it changes nothing; with the comments taken off, the memory is that of the defaults.
  @Test func theTemplateReadsAsTheDefaults() throws {
    let printed = try Tool.train("config", in: scratch.url)
    #expect(printed.status == 0 && printed.errors.isEmpty)
    for line in printed.text.split(separator: "\n") where line.count > 79 { Issue.record("\(line)") }
    try scratch.write("recipe.yaml", printed.text)
    let dense = try check("recipe.yaml")
    #expect(dense.text == "recipe.yaml is sound: a dense model, no memory; 0 keys differ from the defaults\n")
    let lines = printed.text.split(separator: "\n").map { line in
      line.hasPrefix("  # memory:") || line.hasPrefix("  #   ") ? "  " + line.dropFirst(4) : String(line)
    }
    try scratch.write("memory.yaml", lines.joined(separator: "\n"))
    let memory = try check("memory.yaml")
    #expect(memory.text == "memory.yaml is sound: a model with a memory; 0 keys differ from the defaults\n")
  }

  @Test func whatDiffersIsShownAndMistakesAreNamed() throws {
    try scratch.write("recipe.yaml", "train:\n  lr: 0.5\n  lr_scales: {norms: 2}\n")
    let sound = try check("recipe.yaml", "--set", "train.freeze=[attention]")
    #expect(
      sound.status == 0
        && sound.text == """
          train.freeze: attention (default: none)
          train.lr: 0.5 (default: 0.00025)
          train.lr_scales.norms: 2 (default: not set)
          recipe.yaml is sound: a dense model, no memory; 3 keys differ from the defaults

          """,
      "\(sound.text)")
    for (line, message) in [
      ("  larning_rate: 1", "unknown key \"larning_rate\" in train"),
      ("  weight_decy: 1", "Did you mean \"weight_decay\"?"),
      ("  freeze: [attenton]", "Did you mean \"attention\"?"),
      ("  lr_scales: {norm: 1}", "Did you mean \"norms\"?"),
      ("  lr_scales: {norms: -1}", "lr_scales gives norms the factor -1.0"),
      ("  steps: 0", "train.steps must be"),
    ] {
      try scratch.write("wrong.yaml", "train:\n  seed: 1\n\(line)\n")
      let wrong = try check("wrong.yaml")
      #expect(wrong.status == 64 && wrong.errors.contains("wrong.yaml:3: "), "\(wrong.errors)")
      #expect(wrong.errors.contains(message), "\(wrong.errors)")
    }
    #expect(try Tool.train("config", "--set", "train.lr=1", in: scratch.url).status == 64)
  }
}
