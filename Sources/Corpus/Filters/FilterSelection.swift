import Foundation
import Support

/// The rules of a run, selected by the names of groups and rules, some of them excluded or with other
/// thresholds.
package struct FilterSelection: Sendable {
  /// The active rules in the order of ``FilterRule/all``.
  package private(set) var rules: [ActiveRule] = []

  /// Names that select more than one rule.
  private static let groups: [String: [String]] = {
    var groups = Dictionary(uniqueKeysWithValues: FilterRuleGroup.all.map { ($0.name, [$0.name]) })
    groups["gopher"] = ["gopher-repetition", "gopher-quality"]
    return groups
  }()

  /// Selects rules by name.
  ///
  /// `rules` and `without` are names of groups or rules, and `thresholds` have the form `rule=value`. Each
  /// string may list several, separated by commas. `given` are rules that have command-line options of their
  /// own.
  package init(
    rules: [String], without: [String] = [], thresholds: [String] = [], given: [String: Double] = [:]
  ) throws {
    var on: Set<String> = ["empty"]
    for name in Self.items(rules) {
      let found = try Self.rules(name)
      if let rule = found.first(where: \.group.isEmpty), rule.name != "empty" {
        throw Failure(
          .usage, "the rule \(rule.name) has its own option", remedy: "Give it as --\(rule.name)")
      }
      on.formUnion(found.map(\.name))
    }
    on.formUnion(given.keys)
    for name in Self.items(without) {
      let found = Set(try Self.rules(name).map(\.name))
      if on.isDisjoint(with: found) {
        throw Failure(
          .usage, "--without \(name) would change nothing, because no such rule is chosen",
          remedy: "Leave it out, or add its group to --rules")
      }
      on.subtract(found)
    }
    var values = given
    for item in Self.items(thresholds) {
      let (name, value) = try Self.threshold(item)
      guard on.contains(name) else {
        throw Failure(
          .usage, "a threshold is set for \(name), which is not among the rules",
          remedy: "Add it to --rules, or leave the threshold out")
      }
      values[name] = value
    }
    self.rules = FilterRule.all.filter { on.contains($0.name) }.map {
      ActiveRule(rule: $0, threshold: values[$0.name] ?? $0.threshold)
    }
  }

  /// Whether any rule other than `empty` is active.
  package var hasRules: Bool { rules.contains { $0.rule.name != "empty" } }

  private static func items(_ lists: [String]) -> [String] {
    lists.flatMap { $0.split(separator: ",") }.map {
      String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
  }

  private static func rules(_ name: String) throws -> [FilterRule] {
    let groups = Self.groups[name] ?? []
    let found = FilterRule.all.filter { $0.name == name || groups.contains($0.group) }
    if !found.isEmpty { return found }
    throw Failure(.usage, "there is no rule or group \"\(name)\"", remedy: remedy(for: name))
  }

  private static func remedy(for name: String) -> String {
    let names = FilterRule.all.map(\.name).filter { $0.contains(name) || name.contains($0) }
    if !names.isEmpty { return "Did you mean \(names.prefix(3).joined(separator: ", "))?" }
    return "The groups are \(groups.keys.sorted().joined(separator: ", ")); --list-rules shows every rule"
  }

  private static func threshold(_ item: String) throws -> (name: String, value: Double) {
    let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let value = Double(parts[1]), value.isFinite else {
      throw Failure(
        .usage, "\"\(item)\" is not a threshold", remedy: "Write rule=number, for example gopher-min-words=30"
      )
    }
    let found = try rules(parts[0])
    guard found.count == 1 else {
      throw Failure(.usage, "\(parts[0]) is a group", remedy: "Set the thresholds of single rules")
    }
    if found[0].bound == .none { throw Failure(.usage, "the rule \(parts[0]) has no threshold") }
    return (parts[0], value)
  }

  /// The settings of the line filter; nil if none of its rules is active.
  var lineSettings: (settings: LineFilter.Settings, changesText: Bool)? {
    var settings = LineFilter.Settings()
    var changesText = false
    var isOn = false
    for active in rules {
      switch active.rule.subject {
      case .line(let rule):
        changesText = true
        switch rule {
        case .longWords: settings.longestWord = active.threshold
        case .citations: settings.cutsCitations = true
        case .terminalPunctuation: settings.wantsTerminalPunctuation = true
        case .words: settings.fewestWords = active.threshold
        case .javascript: settings.dropsJavascript = true
        case .policy: settings.dropsPolicy = true
        }
      case .document(.loremIpsum): settings.countsLoremIpsum = true
      case .document(.curlyBrackets): settings.countsCurlyBrackets = true
      case .document(.sentences):
        settings.countsSentences = true
        settings.enoughSentences = Int(min(active.threshold!.rounded(.up), 1e9))
      default: continue
      }
      isOn = true
    }
    return isOn ? (settings, changesText) : nil
  }

  var wantsNGrams: Bool {
    rules.contains {
      switch $0.rule.subject {
      case .document(.topNGram), .document(.duplicateNGrams): true
      default: false
      }
    }
  }
}
