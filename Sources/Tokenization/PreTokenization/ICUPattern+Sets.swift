import CICU

// Sets of characters.
extension ICUPattern {
  enum NamedSet { case space, decimal }

  static func set(_ name: NamedSet) -> String {
    switch name {
    case .space: "[\\p{White_Space}]"
    case .decimal: property("Nd")
    }
  }

  /// A property by the name that `\p{...}` gives it.
  static func property(_ name: String) -> String {
    let key = name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
    let aliases = [
      "letter": "L", "number": "N", "mark": "M", "uppercaseletter": "Lu", "lowercaseletter": "Ll",
      "titlecaseletter": "Lt", "modifierletter": "Lm", "otherletter": "Lo", "decimalnumber": "Nd",
    ]
    let short = aliases[key] ?? name
    if let newer = newerCharacters[short.lowercased()] { return "[\\p{\(short)}\(newer)]" }
    switch key {
    case "any": return "[\\x{0}-\\x{10ffff}]"
    case "alnum", "digit", "space", "word", "punct", "xdigit", "alpha", "upper", "lower", "cntrl", "graph",
      "print", "blank":
      return "[[:\(key):]]"
    default: return "\\p{\(name)}"
    }
  }

  /// The characters of a general category that Unicode 16.0 has and the version of this ICU lacks, as ranges.
  ///
  /// New letters without case are of `Lo`, and new numbers of `Nd`, as nearly all of them are.
  private static let newerCharacters: [String: String] = {
    var assigned = [UInt8](repeating: 0, count: 0x110000)
    let isKnown = pkm_unicode_add_flag("[:^Cn:]", 1, &assigned)
    precondition(isKnown, "ICU has no general categories")
    let new = (0..<0x110000).filter {
      assigned[$0] == 0 && CharacterClasses.classOf($0) != CharacterClass.other
    }
    func ranges(_ classes: [UInt8]) -> String {
      var text = ""
      var first: Int?
      var last = 0
      for point in new + [.max] where point == .max || classes.contains(CharacterClasses.classOf(point)) {
        if let start = first, point != last + 1 {
          text += "\\x{\(String(start, radix: 16))}-\\x{\(String(last, radix: 16))}"
          first = nil
        }
        if first == nil { first = point }
        last = point
      }
      return text
    }
    let (upper, lower, caseless) = (CharacterClass.upper, CharacterClass.lower, CharacterClass.caseless)
    let sets: [(String, [UInt8])] = [
      ("l", [upper, lower, caseless]), ("lu", [upper]), ("ll", [lower]), ("lo", [caseless]),
      ("n", [CharacterClass.number]), ("nd", [CharacterClass.number]), ("m", [CharacterClass.mark]),
    ]
    return Dictionary(uniqueKeysWithValues: sets.map { ($0.0, ranges($0.1)) })
      .merging(newerOthers.map { ($0.key, Self.ranges($0.value)) }) { first, _ in first }
      .filter { !$0.value.isEmpty }
  }()

  /// What Unicode 15.1 and 16.0 added to punctuation, symbols and the Chinese characters.
  private static let newerOthers: [String: [ClosedRange<Int>]] = [
    "p": newPunctuation,
    "s": [
      0x2427...0x2429, 0x2ffc...0x2fff, 0x31e4...0x31e5, 0x31ef...0x31ef, 0x10d8e...0x10d8f,
      0x1cc00...0x1ccef,
      0x1cd00...0x1ceb3, 0x1f8b2...0x1f8bb, 0x1f8c0...0x1f8c1, 0x1fa89...0x1fa89, 0x1fa8f...0x1fa8f,
      0x1fabe...0x1fabe, 0x1fac6...0x1fac6, 0x1fadc...0x1fadc, 0x1fadf...0x1fadf, 0x1fae9...0x1fae9,
      0x1fbcb...0x1fbef,
    ],
    "han": [0x2ebf0...0x2ee5d],
  ]

  /// The same of the Chinese characters.
  static var newerHan: [ClosedRange<Int>] { newerOthers["han"]! }

  /// The same of punctuation and symbols.
  static var newerSymbols: [ClosedRange<Int>] { newerOthers["p"]! + newerOthers["s"]! }

  private static let newPunctuation: [ClosedRange<Int>] = [
    0x1b4e...0x1b4f, 0x1b7f...0x1b7f, 0x10d6e...0x10d6e, 0x113d4...0x113d5, 0x113d7...0x113d8,
    0x11be1...0x11be1, 0x16d6d...0x16d6f, 0x1e5ff...0x1e5ff,
  ]

  private static func ranges(_ ranges: [ClosedRange<Int>]) -> String {
    ranges.map {
      "\\x{\(String($0.lowerBound, radix: 16))}-\\x{\(String($0.upperBound, radix: 16))}"
    }.joined()
  }

  /// What the component Punctuation takes for punctuation: that of ASCII and of Unicode 7.0.
  static let punctuation: String = {
    let later =
      newPunctuation + [
        0x61d...0x61d, 0x9fd...0x9fd, 0xa76...0xa76, 0xc77...0xc77, 0xc84...0xc84, 0x1b7d...0x1b7e,
        0x2e43...0x2e4f, 0x2e52...0x2e5d, 0x10ead...0x10ead, 0x10f55...0x10f59, 0x10f86...0x10f89,
        0x1144b...0x1144f, 0x1145a...0x1145b, 0x1145d...0x1145d, 0x11660...0x1166c, 0x116b9...0x116b9,
        0x1183b...0x1183b, 0x11944...0x11946, 0x119e2...0x119e2, 0x11a3f...0x11a46, 0x11a9a...0x11a9c,
        0x11a9e...0x11aa2, 0x11b00...0x11b09, 0x11c41...0x11c45, 0x11c70...0x11c71, 0x11ef7...0x11ef8,
        0x11f43...0x11f4f, 0x11fff...0x11fff, 0x12ff1...0x12ff2, 0x16e97...0x16e9a, 0x16fe2...0x16fe2,
        0x1e95e...0x1e95f,
      ]
    return "[[\\p{P}!-/:-@\\[-`\\{-~\\x{166d}\\x{111c9}]--[\(ranges(later))]]"
  }()
}
