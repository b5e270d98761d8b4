import Support
import TestSupport
import Testing

@testable import Corpus

/// Weights of documents are in the order of what they stand for.
@Suite(.timeLimit(.minutes(60))) struct KeepRuleTests {
  /// The weights of documents whose field has these values, as JSON.
  private func weights(_ values: [String], _ rule: KeepRule) throws -> [KeepRule.Weight] {
    let scratch = try Scratch()
    let path = try scratch.write(
      "in.jsonl", values.map { "{\"text\":\"a\",\"v\":{\"x\":\($0)}}\n" }.joined())
    let batch = try #require(try DocumentReader(inputs: [path]).next())
    #expect(batch.count == values.count)
    return try (0..<batch.count).map { try rule.weight(of: $0, in: batch) }
  }

  private static let ascending: [[String]] = [
    ["-1e300", "-2.5", "-2", "-1e-300", "0", "1e-300", "0.5", "2", "1e300"],
    ["\"\"", "\"a\"", "\"aa\"", "\"ab\"", "\"b\"", "\"é\""],
    ["\"2024-05-18T01:58:10Z\"", "\"2024-05-18T01:59:00Z\"", "\"2024-05-18T02\"", "\"2024-06-01\""],
    ["\"abcdefgh\"", "\"abcdefgh1\"", "\"abcdefgh2\"", "\"abcdefgi\""],
    ["false", "true"],
  ]

  @Test(arguments: ascending) func theGreatestValueHasTheGreatestWeight(values: [String]) throws {
    let greatest = try weights(values, .field("v.x", least: false))
    let least = try weights(values, .field("v.x", least: true))
    for index in 1..<values.count {
      #expect(greatest[index - 1] < greatest[index], "\(values[index - 1]), \(values[index])")
      #expect(least[index] < least[index - 1], "\(values[index - 1]), \(values[index])")
    }
  }

  /// A document without the field has less weight than any with it, whether the greatest or the least value counts.
  @Test(arguments: [true, false]) func aDocumentWithoutAValueIsLast(least: Bool) throws {
    let found = try weights(["null", "-1e308", "\"a\"", "1e308", "false", "[]"], .field("v.x", least: least))
    for index in [1, 2, 3, 4] { #expect(found[0] < found[index]) }
    #expect(found[5] == found[0])
  }
}
