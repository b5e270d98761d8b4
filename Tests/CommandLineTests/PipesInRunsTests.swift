import Foundation
import TestSupport
import Testing

/// A named pipe where a file of a run belongs is refused, not waited for.
@Suite(.timeLimit(.minutes(60))) struct PipesInRunsTests {
  @Test(arguments: ["trainer.json", "config.json"]) func inCheckpoints(file: String) throws {
    let scratch = try Scratch()
    for name in ["trainer.json", "config.json"] where name != file {
      try scratch.write("run/step-00000001/\(name)", "{}")
    }
    let script = """
      mkdir -p run/step-00000001; mkfifo run/step-00000001/\(file)
      for command in "eval --checkpoint run" "generate --checkpoint run x" "inspect run/step-00000001"; do
        timeout -s KILL 20 pkm-train $command > /dev/null; echo $?
      done
      """
    let result = try runShell(script, in: scratch.url)
    #expect(
      result.text.split(separator: "\n").allSatisfy { ["64", "65", "74"].contains($0) }, "\(result.text)")
    #expect(!result.text.isEmpty, "\(result.errors)")
  }

  @Test func inLogs() throws {
    let scratch = try Scratch()
    let result = try runShell(
      "mkdir run; mkfifo run/metrics.jsonl; timeout -s KILL 20 pkm-train report run -o r.html",
      in: scratch.url)
    #expect(result.status == 74 && result.errors.contains("not a regular file"), "\(result.errors)")
  }
}
