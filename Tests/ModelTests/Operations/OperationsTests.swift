import Foundation
import Model
import Support
import Testing

/// Every operation on every device that this machine can run, beside the reference device.
///
/// The idea is that of ggml's `test-backend-ops`: a new device adds itself to `expectEveryDeviceToAgree()` and is tested
/// whole, a new operation gets a case here.
@Suite(.timeLimit(.minutes(60))) struct OperationsTests {
  static let families: [[any OperationCase]] = [
    VectorCase.all, InitializeCase.all, DropoutCase.all, MatrixCase.all, RoundingCase.all,
    MemoryAccessCase.all, MatmulCase.all, EpilogueCase.all, GELUCase.all, WeightGradientCase.all,
    LayerNormCase.all, BatchNormCase.all, AttentionCase.all, CachedAttentionCase.all, EmbeddingCase.all,
    CrossEntropyCase.all, LookupCase.all, LookupBackwardCase.all, ValueCase.all, AdamCase.all,
  ]
  static let cases = families.flatMap { $0 }

  @Test(arguments: cases.indices.map(Numbered.init)) func devicesAgreeWithTheReference(_ index: Numbered)
    throws
  {
    try Self.cases[index.number].expectEveryDeviceToAgree(index.number)
  }

  /// A case by its place in the list, so that the test can be repeated for it alone.
  struct Numbered: Sendable, CustomTestStringConvertible {
    let number: Int
    var testDescription: String { OperationsTests.cases[number].testDescription }
  }

  /// A new requirement of the protocol fails here until a case calls it.
  @Test func everyRequirementHasACase() throws {
    let device = ReferenceOperations<Double>(), bed = TestBed(device)
    for family in Self.families { _ = try family.first?.run(on: bed) }
    // "name(label:) line" of the definition: one for each overload.
    let called = device.calledOperations.map { String($0.prefix { $0 != " " }) }
    // They describe the device and compute nothing.
    let descriptions = ["wantsWeightCopies(isTraining:)", "workingBytes(dim:vocabularySize:)"]
    #expect((called + descriptions).sorted() == (try Self.requirements()).sorted())
  }

  /// The names of the methods in the protocol's source, as `name(label:label:)`.
  private static func requirements() throws -> [String] {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../Sources/Model/Operations/Operations.swift")
    var text = try String(contentsOf: file, encoding: .utf8)
    text = String(text[text.range(of: "package protocol Operations<Scalar> {")!.upperBound...])
    text = String(text[..<text.range(of: "\n}\n")!.lowerBound])
    text = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(
      separator: "\n")
    return text.matches(of: /func (\w+)\(((?:[^()]|\([^()]*\))*)\)/).map { match in
      let labels = match.2.matches(of: /(?:^|,)\s*(\w+)(?:\s+\w+)?:/).map { "\($0.1):" }
      return "\(match.1)(\(labels.joined()))"
    }
  }
}
