import CICU
import Support

/// A regular expression whose matches are replaced: the normalizer Replace, through ICU.
final class ReplacedPattern: Sendable {
  /// Only one thread at a time has a worker.
  private final class Worker {
    let pattern: OpaquePointer
    var units: [UInt16] = []

    init(_ pattern: OpaquePointer) { self.pattern = pattern }

    deinit { pkm_pattern_destroy(pattern) }
  }

  /// In ICU's syntax.
  private let pattern: String
  private let replacement: [UInt8]
  private let idle = IdlePool<Worker>()

  /// `pattern` is written in Oniguruma's syntax.
  init(_ pattern: String, replacement: String) {
    self.pattern = ICUPattern.translate(pattern, .oniguruma)
    self.replacement = Array(replacement.utf8)
  }

  /// Why ICU does not take the pattern; nil if it does.
  static func refusal(of pattern: String) -> String? {
    var message = [CChar](repeating: 0, count: 200)
    if let compiled = pkm_pattern_compile(ICUPattern.translate(pattern, .oniguruma), &message, message.count)
    {
      pkm_pattern_destroy(compiled)
      return nil
    }
    return String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Appends the text with each match replaced.
  func append(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    guard let base = text.baseAddress, text.count < 1 << 31 else { return out.append(contentsOf: text) }
    idle.with(orMake: makeWorker) { worker in
      if worker.units.count < text.count + 1 { worker.units = [UInt16](repeating: 0, count: text.count + 1) }
      worker.units.withUnsafeMutableBufferPointer { units in
        let count = pkm_utf16_from_utf8(base, text.count, units.baseAddress!)
        var matches: UnsafePointer<Int32>?
        guard pkm_pattern_set_text(worker.pattern, units.baseAddress!, count),
          case let found = pkm_pattern_find(worker.pattern, 0, Int32(count), &matches), found > 0
        else { return out.append(contentsOf: text) }
        let borders = 2 * Int(found)
        let offsets = [Int](unsafeUninitializedCapacity: borders) { offsets, written in
          pkm_utf8_offsets(base, text.count, matches!, borders, offsets.baseAddress!)
          written = borders
        }
        var start = 0
        for match in stride(from: 0, to: borders, by: 2) {
          out.append(contentsOf: text[start..<offsets[match]])
          out += replacement
          start = offsets[match + 1]
        }
        out.append(contentsOf: text[start...])
      }
    }
  }

  private func makeWorker() -> Worker {
    var message = [CChar](repeating: 0, count: 200)
    guard let compiled = pkm_pattern_compile(pattern, &message, message.count) else {
      preconditionFailure("ICU took the pattern before")
    }
    return Worker(compiled)
  }
}
