import Foundation
import Model
import Support
import Testing

/// Every operation on every device that this machine can run, beside the reference device.
///
/// The idea is that of ggml's `test-backend-ops`: a new device adds itself to `expectEveryDeviceToAgree()` and is tested
/// whole, a new operation gets a case here.
@Suite(.timeLimit(.minutes(60))) struct OperationsTests {
  /// The operations of one kind, which one test compares.
  enum Kind: CaseIterable {
    case elements, matmuls, norms, attention, losses, memories, optimizer

    var families: [[any OperationCase]] {
      switch self {
      case .elements:
        [
          VectorCase.all, InitializeCase.all, DropoutCase.all, MatrixCase.all, RoundingCase.all,
          MemoryAccessCase.all,
        ]
      case .matmuls: [MatmulCase.all, EpilogueCase.all, GELUCase.all, WeightGradientCase.all]
      case .norms: [LayerNormCase.all, BatchNormCase.all]
      case .attention: [AttentionCase.all, CachedAttentionCase.all]
      case .losses: [EmbeddingCase.all, CrossEntropyCase.all]
      case .memories: [LookupCase.all, LookupBackwardCase.all, ValueCase.all]
      case .optimizer: [AdamCase.all]
      }
    }

    var cases: [Numbered] {
      families.flatMap { $0 }.enumerated().map { Numbered(number: $0.offset, operation: $0.element) }
    }
  }

  /// A case and its number among those of its kind, so that the test can be repeated for it alone.
  struct Numbered: Sendable, CustomTestStringConvertible {
    let number: Int
    let operation: any OperationCase
    var testDescription: String { operation.testDescription }

    func expectEveryDeviceToAgree() throws { try operation.expectEveryDeviceToAgree(number) }
  }

  @Test(arguments: Kind.elements.cases) func elements(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.matmuls.cases) func matmuls(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.norms.cases) func norms(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.attention.cases) func attention(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.losses.cases) func losses(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.memories.cases) func memories(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  @Test(arguments: Kind.optimizer.cases) func optimizer(_ this: Numbered) throws {
    try this.expectEveryDeviceToAgree()
  }

  /// A new requirement of the protocol fails here until a case calls it.
  @Test func everyRequirementHasACase() throws {
    let device = ReferenceOperations<Double>(), bed = TestBed(device)
    for family in Kind.allCases.flatMap(\.families) { _ = try family.first?.run(on: bed) }
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
