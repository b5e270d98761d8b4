/// Translates a pattern of a tokenizer file into ICU's syntax.
///
/// The syntaxes differ in a few places, and the meaning is that of the program the file was written for:
///
/// - `\p{L}`, `\p{N}` and the other classes of ``CharacterClass``, and `\s`, are those of Unicode 16.0, also where
///   ICU is older; other properties are those of ICU's version.
/// - Oniguruma: `\h` is a hexadecimal digit, `^` and `$` are the ends of lines, `(?m)` lets `.` match line feeds,
///   `\w` does not have joiners, and a `+` after `{n,m}` repeats.
/// - Rust: `^` and `$` are the ends of the text, and a `+` after `{n,m}` is possessive.
struct ICUPattern {
  enum Syntax: Sendable {
    /// `tokenizers`.
    case oniguruma
    /// The crates `regex` and `fancy-regex`: `tiktoken`.
    case rust
  }

  private let syntax: Syntax
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var output = ""
  /// Where the last atom begins in the output, which a quantifier may repeat.
  private var atom: String.Index?
  private var groups: [String.Index] = []

  static func translate(_ pattern: String, _ syntax: Syntax) -> String {
    var translation = ICUPattern(syntax: syntax, scalars: Array(pattern.unicodeScalars))
    translation.run()
    return translation.output
  }

  static func escaped(_ literal: String) -> String {
    literal.unicodeScalars.map { Self.literal($0) }.joined()
  }

  private init(syntax: Syntax, scalars: [Unicode.Scalar]) {
    self.syntax = syntax
    self.scalars = scalars
  }

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private func hasNext(_ text: String) -> Bool {
    scalars[position...].prefix(text.unicodeScalars.count).elementsEqual(text.unicodeScalars)
  }

  private mutating func run() {
    while let scalar = next {
      switch scalar {
      case "\\": add(escape(inClass: false))
      case "[": add(characterClass())
      case "(": openGroup()
      case ")":
        position += 1
        output.append(")")
        atom = groups.popLast()
      case "|":
        position += 1
        output.append("|")
        atom = nil
      case "*", "+", "?": quantify(String(scalar), length: 1)
      case "{":
        if let (text, length) = interval() {
          quantify(text, length: length)
        } else {
          position += 1
          add("\\{")
        }
      case ".":
        position += 1
        // ICU's `.` excludes more line ends.
        add(dotMatchesAll ? "(?s:.)" : "[^\\n]")
      case "^":
        position += 1
        add(syntax == .oniguruma || isMultiline ? "(?:\\A|(?<=\\n)(?!\\z))" : "\\A")
      case "$":
        position += 1
        add(syntax == .oniguruma || isMultiline ? "(?=\\n|\\z)" : "\\z")
      default:
        position += 1
        add(Self.literal(scalar))
      }
    }
  }

  // The flags are those of the last group that sets them: patterns of tokenizers do not nest them.
  private var dotMatchesAll = false
  private var isMultiline = false

  private mutating func add(_ text: String) {
    atom = output.endIndex
    output += text
  }

  /// A quantifier with the sign that makes it lazy or possessive.
  private mutating func quantify(_ text: String, length: Int) {
    position += length
    output += text
    let isInterval = text.hasPrefix("{")
    if next == "?" {
      position += 1
      output += "?"
    } else if next == "+" {
      position += 1
      if isInterval && syntax == .oniguruma, let atom {
        output = "\(output[..<atom])(?:\(output[atom...]))+"
      } else {
        output += "+"
      }
    }
  }

  /// `{n}`, `{n,}`, `{n,m}` or `{,m}` here, as ICU writes it, and its length.
  private func interval() -> (String, length: Int)? {
    guard let end = scalars[position...].firstIndex(of: "}") else { return nil }
    let parts = scalars[(position + 1)..<end].split(separator: ",", omittingEmptySubsequences: false)
    let isNumeric = parts.allSatisfy { $0.allSatisfy { ("0"..."9").contains($0) } }
    guard atom != nil, isNumeric, (1...2).contains(parts.count), parts.contains(where: { !$0.isEmpty }) else {
      return nil
    }
    let numbers = parts.map { part in
      var text = String.UnicodeScalarView()
      text.append(contentsOf: part)
      return String(text)
    }
    let least = numbers[0].isEmpty ? "0" : numbers[0]
    return (numbers.count == 1 ? "{\(least)}" : "{\(least),\(numbers[1])}", end - position + 1)
  }

  private mutating func openGroup() {
    groups.append(output.endIndex)
    atom = nil
    position += 1
    guard next == "?" else {
      output.append("(?:")
      return
    }
    position += 1
    for start in [":", "=", "!", ">", "<=", "<!"] where hasNext(start) {
      position += start.unicodeScalars.count
      output += "(?\(start)"
      return
    }
    if next == "#" {
      while let scalar = next, scalar != ")" {
        position += 1
        _ = scalar
      }
      output += "(?:"
      return
    }
    if next == "<" || next == "P" {
      // A name, which nothing here refers to.
      while let scalar = next, scalar != ">" {
        position += 1
        _ = scalar
      }
      position += 1
      output += "(?:"
      return
    }
    output += "(?"
    var isSetting = true
    while let scalar = next, scalar != ":", scalar != ")" {
      position += 1
      switch (scalar, syntax) {
      case ("-", _):
        isSetting = false
        output += "-"
      case ("m", .oniguruma), ("s", .rust): dotMatchesAll = isSetting
      case ("m", .rust): isMultiline = isSetting
      case ("u", _): break
      default: output.unicodeScalars.append(scalar)
      }
    }
    if output.hasSuffix("-") { output.removeLast() }
    if next == ")" {
      // Flags up to the end of the group.
      position += 1
      if output.hasSuffix("(?") { output.removeLast(2) } else { output += ")" }
      groups.removeLast()
    } else {
      position += 1
      output += ":"
    }
  }

  private mutating func escape(inClass: Bool) -> String {
    position += 1
    guard let scalar = next else { return "\\\\" }
    position += 1
    switch scalar {
    case "p", "P": return property(isNegated: scalar == "P")
    case "s": return Self.set(.space)
    case "S": return Self.negated(Self.set(.space))
    case "d": return Self.set(.decimal)
    case "D": return Self.negated(Self.set(.decimal))
    case "w": return inClass ? wordCharacters : loneWordCharacters
    case "W": return Self.negated(inClass ? wordCharacters : loneWordCharacters)
    case "h" where syntax == .oniguruma: return "[0-9A-Fa-f]"
    case "H" where syntax == .oniguruma: return "[^0-9A-Fa-f]"
    case "b" where !inClass:
      // ICU ignores marks at the ends of words.
      let word = loneWordCharacters
      return "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
    case "B" where !inClass:
      let word = loneWordCharacters
      return "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))"
    case "v": return "\\x0B"
    case "Z" where !inClass: return "(?=\\n?\\z)"
    case "x", "u":
      // \xHH, \x{H...}, \uHHHH
      var digits = ""
      if next == "{" {
        position += 1
        while let digit = next, digit != "}" {
          digits.unicodeScalars.append(digit)
          position += 1
        }
        position += 1
      } else {
        let most = scalar == "x" ? 2 : 4
        while digits.count < most, let digit = next, digit.properties.isASCIIHexDigit {
          digits.unicodeScalars.append(digit)
          position += 1
        }
      }
      return "\\x{\(digits.isEmpty ? "0" : digits)}"
    case "a"..."z", "A"..."Z", "0"..."9": return "\\\(scalar)"
    default: return Self.literal(scalar)
    }
  }

  /// The name behind `\p`.
  private mutating func property(isNegated: Bool) -> String {
    var isNegated = isNegated
    var name = String.UnicodeScalarView()
    if next == "{" {
      position += 1
      while let scalar = next, scalar != "}" {
        if scalar == "^" && name.isEmpty { isNegated.toggle() } else { name.append(scalar) }
        position += 1
      }
      position += 1
    } else if let scalar = next {
      name.append(scalar)
      position += 1
    }
    let set = Self.property(String(name))
    return isNegated ? Self.negated(set) : set
  }

  private var wordCharacters: String {
    "[\(Self.property("L"))\(Self.property("M"))\(Self.set(.decimal))\\p{Alphabetic}\\p{Pc}"
      + (syntax == .rust ? "\\u200c\\u200d]" : "]")
  }

  /// Outside of brackets Oniguruma also counts the numbers of Latin-1.
  private var loneWordCharacters: String {
    syntax == .rust ? wordCharacters : "[\(wordCharacters)²³¹¼-¾]"
  }

  private mutating func characterClass() -> String {
    position += 1
    var text = "["
    if next == "^" {
      position += 1
      text += "^"
    }
    var isFirst = true
    /// Whether the last item is a character that can begin a range.
    var isCharacter = false
    while let scalar = next, scalar != "]" || isFirst {
      defer { isFirst = false }
      if hasNext("[:"), let end = posixEnd() {
        var name = String.UnicodeScalarView()
        name.append(contentsOf: scalars[(position + 2)..<end])
        position = end + 2
        text += posix(String(name))
        isCharacter = false
      } else if scalar == "[" {
        text += characterClass()
        isCharacter = false
      } else if hasNext("&&") || (syntax == .rust && hasNext("--")) {
        text += hasNext("&&") ? "&&" : "--"
        position += 2
        isCharacter = false
      } else if scalar == "-" {
        position += 1
        let follows = next.map { $0 != "]" && $0 != "[" && !isSetEscape } ?? false
        if isCharacter && follows {
          text += "-"
          text += classCharacter()
          isCharacter = false
        } else {
          text += "\\-"
          isCharacter = false
        }
      } else {
        isCharacter = !isSetEscape
        text += classCharacter()
      }
    }
    position += 1
    return text + "]"
  }

  /// Whether a set of characters comes next, such as `\s`.
  private var isSetEscape: Bool {
    next == "\\" && position + 1 < scalars.count
      && "pPsSdDwWhH".unicodeScalars.contains(scalars[position + 1])
  }

  private mutating func classCharacter() -> String {
    if next == "\\" {
      // A backspace.
      if hasNext("\\b") {
        position += 2
        return "\\x08"
      }
      return escape(inClass: true)
    }
    defer { position += 1 }
    return next.map { Self.literal($0) } ?? ""
  }

  private func posixEnd() -> Int? {
    var index = position + 2
    while index + 1 < scalars.count, scalars[index].isASCII, scalars[index] != "]" {
      if scalars[index] == ":" && scalars[index + 1] == "]" { return index }
      index += 1
    }
    return nil
  }

  private func posix(_ name: String) -> String {
    let isNegated = name.hasPrefix("^")
    let set =
      switch isNegated ? String(name.dropFirst()) : name {
      case "space": Self.set(.space)
      case "digit": Self.set(.decimal)
      case "word": wordCharacters
      case "alpha": "[\(Self.property("L"))\\p{Alphabetic}]"
      case "alnum": "[\(Self.property("L"))\\p{Alphabetic}\(Self.set(.decimal))]"
      case "punct": syntax == .rust ? "[!-/:-@\\[-`{-~]" : "[\(Self.property("P"))\(Self.property("S"))]"
      case "upper": "\\p{Uppercase}"
      case "lower": "\\p{Lowercase}"
      case let other: "[:\(other):]"
      }
    return isNegated ? Self.negated(set) : set
  }

  private static func negated(_ set: String) -> String { "[^\(set)]" }

  private static func literal(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_": String(scalar)
    case "!"..."~": "\\\(scalar)"
    case "\u{80}"...: String(scalar)
    default: "\\x{\(String(scalar.value, radix: 16))}"
    }
  }
}
