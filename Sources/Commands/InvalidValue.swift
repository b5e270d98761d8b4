/// What an option may be, where ArgumentParser only says that a value is invalid for it.
package enum InvalidValue {
  /// The message with a remedy; unchanged if it is another one.
  ///
  /// `attempt` parses arguments and returns the message of the error, or nil where there is none. The bounds of a number
  /// are known to the checks of its command alone, so a number beyond them is tried in place of the value.
  package static func explained(
    _ message: String, arguments: [String], attempt: ([String]) -> String?
  ) -> String {
    var lines = message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.first, let wrong = Wrong(first),
      let remedy = remedy(wrong, arguments, attempt)
    else { return message }
    lines[0] = first + ". " + remedy
    return lines.joined(separator: "\n")
  }

  /// `The value '1e300' is invalid for '--hashes <n>'`.
  private struct Wrong {
    let value, option, kind: String

    init?(_ line: String) {
      guard let match = line.firstMatch(of: /The value '(.*)' is invalid for '(--[a-z0-9-]+) <([^>]*)>'$/)
      else { return nil }
      (value, option, kind) = (String(match.1), String(match.2), String(match.3))
    }
  }

  private static func remedy(_ wrong: Wrong, _ arguments: [String], _ attempt: ([String]) -> String?)
    -> String?
  {
    switch wrong.kind {
    case "size": return "Give a size from 1 to 1e18 bytes, such as 256M"
    case "count": return "Give a number from 1 to 1e15, such as 300M"
    case "numbers": return "Give numbers from 0 to 1000000, one of them above 0, such as 0.7,0.3"
    case "shares": return "Give shares above 0 whose sum is below 1, such as valid=0.01,test=0.01"
    default: break
    }
    func message(with value: String) -> String?? {
      var changed = arguments
      guard
        let place = arguments.indices.first(where: {
          arguments[$0] == "\(wrong.option)=\(wrong.value)"
            || $0 > 0 && arguments[$0] == wrong.value && arguments[$0 - 1] == wrong.option
        })
      else { return nil }
      if arguments[place] == wrong.value {
        changed.replaceSubrange((place - 1)...place, with: ["\(wrong.option)=\(value)"])
      } else {
        changed[place] = "\(wrong.option)=\(value)"
      }
      return .some(attempt(changed))
    }
    let huge = "\(Int.max)"
    guard let tried = message(with: huge) else { return nil }
    let line = tried?.split(separator: "\n").first.map(String.init) ?? ""
    if line.contains("'\(huge)' is invalid") { return nil }
    if let bound = line.firstRange(of: "\(wrong.option) must be ") {
      return "It must be " + line[bound.upperBound...].replacing(", not \(huge)", with: "")
    }
    let negative = message(with: "-1")??.contains("'-1' is invalid") == true
    if negative { return "Give a whole number from 0 to \(UInt64.max)" }
    return "Give a \(Double(wrong.value) == nil ? "" : "whole ")number of at most \(huge)"
  }
}
