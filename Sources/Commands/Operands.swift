import Synchronization

/// Long lists of operands, such as ten thousand files that a shell has found.
///
/// ArgumentParser takes time with the square of their number, seconds for three thousand. So it sees one word in place of
/// a long list, and ``all(_:)`` gives the command the list.
package enum Operands {
  /// Lists of up to this many operands are parsed as they are.
  private static let most = 64
  private static let lists = Mutex<[[String]]>([])
  /// No argument of a process holds a NUL.
  private static let mark = "\0"

  /// The arguments with a word for each long list in them.
  package static func shortened(_ arguments: [String]) -> [String] {
    let dashes = arguments.firstIndex(of: "--") ?? arguments.endIndex
    var result: [String] = []
    var run: [String] = []
    func endRun() {
      // The first two may be the name of the command, and the value of an option.
      result += run.prefix(2) + word(for: run.dropFirst(2))
      run.removeAll()
    }
    for argument in arguments[..<dashes] {
      if argument.hasPrefix("-") && argument != "-" {
        endRun()
        result.append(argument)
      } else {
        run.append(argument)
      }
    }
    endRun()
    if dashes < arguments.endIndex { result += ["--"] + word(for: arguments[(dashes + 1)...]) }
    return result
  }

  /// The operands that parsing has given, with the lists that stand behind words.
  package static func all(_ parsed: [String]) -> [String] {
    guard parsed.contains(where: { $0.hasPrefix(mark) }) else { return parsed }
    return parsed.flatMap { operand in
      guard operand.hasPrefix(mark), let index = Int(operand.dropFirst()) else { return [operand] }
      return lists.withLock { $0.indices.contains(index) ? $0[index] : [operand] }
    }
  }

  private static func word(for operands: ArraySlice<String>) -> [String] {
    if operands.count <= most { return Array(operands) }
    return lists.withLock { lists in
      lists.append(Array(operands))
      return [mark + String(lists.count - 1)]
    }
  }
}
