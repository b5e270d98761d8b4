import Foundation
import Support

/// `tekken.json` of Mistral: ranks with their bytes, as in a `.tiktoken` file, the pattern, and special tokens, whose ids
/// come first.
package enum TekkenFile {
  /// Whether a file is one, by its beginning.
  package static func isTekken(_ bytes: [UInt8]) -> Bool {
    guard bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else { return false }
    let start = String(decoding: bytes.prefix(1 << 14), as: UTF8.self)
    return start.contains("\"token_bytes\"") && start.contains("\"rank\"")
  }

  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    let json = try JSONValue(parsing: bytes, file: file)
    func broken(_ message: String) -> Failure {
      Failure(.badInput, message, file: file, remedy: "Give a whole tekken.json")
    }
    guard let config = json["config"], let pattern = config["pattern"]?.string,
      let entries = json["vocab"]?.array
    else { throw broken("has no pattern or no vocabulary: not a tekken.json") }
    let specialCount = config["default_num_special_tokens"]?.count ?? 0
    let size = config["default_vocab_size"]?.count ?? entries.count + specialCount
    guard specialCount <= size, size < 1 << 24 else { throw broken("the sizes of the vocabulary are wrong") }
    var tokens: [[UInt8]] = []
    // The file may hold more ranks than are used.
    for entry in entries.prefix(size - specialCount) {
      guard entry["rank"]?.count == tokens.count, let text = entry["token_bytes"]?.string,
        let token = Data(base64Encoded: text), !token.isEmpty
      else { throw broken("the entry \(tokens.count) of the vocabulary has not this rank, or no bytes") }
      tokens.append(Array(token))
    }
    var specials = (0..<specialCount).map {
      defaultNames.indices.contains($0) ? defaultNames[$0] : "<SPECIAL_\($0)>"
    }
    if let given = json["special_tokens"]?.array {
      specials = (0..<specialCount).map { "<SPECIAL_\($0)>" }
      for entry in given {
        guard let rank = entry["rank"]?.count, rank < specialCount, let text = entry["token_str"]?.string
        else {
          throw broken("an entry of special_tokens has no text, or its rank is not below \(specialCount)")
        }
        specials[rank] = text
      }
    }
    let offset = UInt32(specialCount)
    let merges = try TiktokenFile.merges(tokens, file: file).merges.map {
      Tokenizer.Merge(left: $0.left + offset, right: $0.right + offset, result: $0.result + offset)
    }
    // tiktoken leaves out what its pattern does not match.
    let steps: [PreTokenizationStep] = [
      .split(.regex(pattern), .removed, invert: true), .byteLevel(addPrefixSpace: false, usesRegex: false),
    ]
    return Tokenizer(
      mode: .byteLevel, preTokenizer: try PreTokenizer(steps: steps, syntax: .rust),
      tokens: specials.map { Array($0.utf8) } + tokens, merges: merges,
      addedTokens: specials.enumerated().map { AddedToken(id: UInt32($0.offset), text: $0.element) },
      ignoresMerges: true)
  }

  /// The special tokens of the files that do not list them.
  private static let defaultNames = [
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
  ]
}
