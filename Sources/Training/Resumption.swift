import Foundation
import Support

/// Whether a run can go on from a checkpoint with a recipe, and what that changes.
package struct Resumption {
  let checkpoint: Checkpoint
  let recipe: TrainingRecipe

  /// Every setting that decides the bits of what is done must be the same. How far a run goes, how often it logs, evaluates and
  /// saves, and what it keeps may change.
  func check(split: String, datasetDigest: String) throws {
    var old = checkpoint.recipe
    old.train.steps = recipe.train.steps
    old.train.evalEvery = recipe.train.evalEvery
    old.train.evalTokens = recipe.train.evalTokens
    old.train.checkpointEvery = recipe.train.checkpointEvery
    old.train.backgroundCheckpoints = recipe.train.backgroundCheckpoints
    old.train.keepCheckpoints = recipe.train.keepCheckpoints
    old.train.keepEvery = recipe.train.keepEvery
    old.train.keepBest = recipe.train.keepBest
    old.train.logEvery = recipe.train.logEvery
    old.train.recompute = recipe.train.recompute
    old.train.maxSkips = recipe.train.maxSkips
    guard old == recipe else {
      let (was, now) = (old.settings, recipe.settings)
      let differing = Set(was.keys).union(now.keys).sorted().filter { was[$0] != now[$0] }
      throw Failure(
        .usage,
        "the recipe differs from the one that this run was started with: "
          + differing.map { "\($0) was \(was[$0] ?? "not set"), is \(now[$0] ?? "not set")" }
          .joined(separator: "; "), file: checkpoint.directory,
        remedy:
          "Use the configuration in its config.json, or another run directory with --init-from, which may change it"
      )
    }
    guard checkpoint.state.split == split else {
      throw Failure(
        .usage, "the run was started on the split \(checkpoint.state.split), not \(split)",
        file: checkpoint.directory,
        remedy: "Give --split \(checkpoint.state.split), or another run directory")
    }
    guard checkpoint.state.dataset == datasetDigest else {
      throw Failure(
        .usage, "the dataset differs from the one that this run was started with", file: checkpoint.directory,
        remedy: "Use the dataset at \(checkpoint.state.datasetPath), or another run directory")
    }
    guard checkpoint.state.step <= recipe.train.steps else {
      throw Failure(
        .usage, "train.steps is \(recipe.train.steps), but the run has done \(checkpoint.state.step) steps",
        file: checkpoint.directory,
        remedy: "Set train.steps to more, or go on from an older checkpoint with --resume-from")
    }
  }

  /// What to tell at the start.
  var lines: [String] {
    let step = checkpoint.state.step, (old, new) = (checkpoint.recipe.train, recipe.train)
    guard step < new.steps else {
      return ["all \(step) steps are done; a larger train.steps goes on"]
    }
    var lines = ["resuming after step \(step)"]
    let (was, now) = (old.learningRate.rate(afterUpdates: step), new.learningRate.rate(afterUpdates: step))
    if was != now {
      lines.append(
        String(
          format: "train.steps was %d, is %d: the schedule %@ is that of %d steps from here on, so the next "
            + "learning rate is %.4g, not %.4g", old.steps, new.steps, new.schedule.rawValue, new.steps, now,
          was))
    }
    return lines
  }

  /// The checkpoint of a run to go on from: the newest, or the one that a user names by its path or its name in the run.
  package static func choose(in run: String, named given: String?) throws -> Checkpoint? {
    guard let given else { return try Checkpoint.all(in: run).last.map { try Checkpoint($0) } }
    let inside = Path.join(run, given)
    let path = !given.contains("/") && Path.exists(inside) ? inside : given
    guard Path.exists(Path.join(path, "trainer.json")) else {
      let there = try Checkpoint.all(in: run).map(Path.name(of:)).joined(separator: ", ")
      throw Failure(
        .usage, "is no checkpoint", file: path,
        remedy: "The run has: " + (there.isEmpty ? "none" : there))
    }
    func resolved(_ path: String) -> String {
      URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    }
    guard resolved(Path.join(path, "..")) == resolved(run) else {
      throw Failure(
        .usage, "is not a checkpoint of the run in \(run)", file: path,
        remedy: "Name one of that run, or start another run from this one with --init-from")
    }
    return try Checkpoint(path)
  }

  /// Renames the checkpoints of steps after this one, or of the same step: the run will make them again.
  static func setAside(after checkpoint: Checkpoint, in run: String) throws -> [String] {
    let own = Path.name(of: checkpoint.directory)
    var names: [String] = []
    for path in try Checkpoint.all(in: run) {
      let name = Path.name(of: path)
      guard name != own, Checkpoint.step(ofName: name)! >= checkpoint.state.step else { continue }
      var aside = path + ".set-aside", count = 1
      while Path.exists(aside) {
        count += 1
        aside = path + ".set-aside-\(count)"
      }
      try SystemCall.rename(path, to: aside)
      names.append(Path.name(of: aside))
    }
    return names
  }
}
