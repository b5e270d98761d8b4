import Foundation
import Support

/// A text to continue.
struct Prompt {
  let text: String
  /// The JSON of its id; nil without one.
  var id: String?
}

/// Prompts from the command line, from standard input, or from JSON lines.
final class PromptSource {
  private var arguments: [String]
  private let file: String?
  private var lines: [ArraySlice<UInt8>]
  private var number = 0
  private let readsInput: Bool

  init(arguments: [String], file: String?) throws {
    (self.arguments, self.file) = (arguments.reversed(), file)
    readsInput = arguments.isEmpty && file == nil
    lines =
      try file.map { try InputFile.contents(of: $0).split(separator: 0x0a, omittingEmptySubsequences: false) }
      ?? []
    if readsInput && isatty(STDIN_FILENO) == 1 {
      Log.line("reading prompts from the terminal, one a line; Ctrl-D ends them")
    }
  }

  /// The next prompt; nil after the last.
  func next() throws -> Prompt? {
    if readsInput { return readLine().map { Prompt(text: $0) } }
    guard file != nil else { return arguments.popLast().map { Prompt(text: $0) } }
    while number < lines.count {
      let line = lines[number]
      number += 1
      if line.allSatisfy({ [0x20, 0x09, 0x0d].contains($0) }) { continue }
      return try prompt(Array(line))
    }
    return nil
  }

  private func prompt(_ line: [UInt8]) throws -> Prompt {
    let object: JSONValue
    do { object = try JSONValue(parsing: line) } catch let failure as Failure {
      throw Failure(.badInput, failure.message, file: file, line: number)
    }
    guard let text = (object["prompt"] ?? object["text"])?.string else {
      throw Failure(
        .badInput, "has no text", file: file, line: number,
        remedy: "Give objects such as {\"id\": 1, \"prompt\": \"It was\"}")
    }
    let id: String?
    switch object["id"] {
    case nil: id = nil
    case .string(let bytes):
      var json = JSONWriter()
      json.value(String(decoding: bytes, as: UTF8.self))
      id = json.text
    case .number(let value): id = object["id"]!.count.map { "\($0)" } ?? "\(value)"
    default:
      throw Failure(.badInput, "its id is neither a text nor a number", file: file, line: number)
    }
    return Prompt(text: text, id: id)
  }
}

extension InputFile {
  /// All bytes of a file, decompressed.
  static func contents(of path: String) throws -> [UInt8] {
    let file = try InputFile(path)
    var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = try buffer.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
      bytes += buffer[..<count]
    }
    return bytes
  }
}
