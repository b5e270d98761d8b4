import Foundation

/// The counts and timings of one run, in the order they were first named, and what the first few of the things counted
/// look like.
///
/// Written as JSON by `--summary` and, but for the samples, as a few lines on standard error.
package struct Summary: Sendable {
  package enum Value: Sendable, Equatable {
    case count(Int)
    case number(Double)
    case text(String)
  }

  /// One of the things that a count stands for.
  package struct Sample: Sendable, Equatable {
    /// The beginning of its text.
    package let text: String
    /// What made it count, such as "7, at least 50".
    package let note: String
  }

  package private(set) var entries: [(name: CountName, value: Value)] = []
  package private(set) var samples: [(name: CountName, samples: [Sample])] = []

  package static let sampleLimit = 4
  /// Bytes of text that a sample shows at most.
  private static let sampleBytes = 400

  package init() {}

  package subscript(name: CountName) -> Value? {
    get { entries.first { $0.name == name }?.value }
    set {
      if let index = entries.firstIndex(where: { $0.name == name }) {
        if let newValue { entries[index].value = newValue } else { entries.remove(at: index) }
      } else if let newValue {
        entries.append((name, newValue))
      }
    }
  }

  /// Adds to a count.
  package mutating func add(_ name: CountName, _ count: Int = 1) {
    if case .count(let old)? = self[name] {
      self[name] = .count(old + count)
    } else {
      self[name] = .count(count)
    }
  }

  package func count(_ name: CountName) -> Int {
    if case .count(let value)? = self[name] { return value }
    return 0
  }

  /// Keeps what one of the things counted under the name looks like, if there are not enough yet: the first ones stay.
  package mutating func addSample(
    of name: CountName, _ text: UnsafeRawBufferPointer, note: @autoclosure () -> String = ""
  ) {
    if samples.first(where: { $0.name == name })?.samples.count == Self.sampleLimit { return }
    // No character is cut in two.
    var end = min(text.count, Self.sampleBytes)
    while end < text.count && end > 0 && text[end] & 0xc0 == 0x80 { end -= 1 }
    let shown = String(decoding: UnsafeRawBufferPointer(rebasing: text[..<end]), as: UTF8.self)
    add([Sample(text: end < text.count ? shown + "…" : shown, note: note())], of: name)
  }

  private mutating func add(_ more: [Sample], of name: CountName) {
    if let index = samples.firstIndex(where: { $0.name == name }) {
      samples[index].samples += more.prefix(Self.sampleLimit - samples[index].samples.count)
    } else {
      samples.append((name, more))
    }
  }

  /// Adds the counts and samples of another run's part; numbers and texts of the other replace ours.
  package mutating func merge(_ other: Summary) {
    for (name, value) in other.entries {
      if case .count(let count) = value { add(name, count) } else { self[name] = value }
    }
    for (name, samples) in other.samples { add(samples, of: name) }
  }

  /// One JSON object, keys in the order of first use; samples, where there are any, under `samples`.
  package var json: String {
    var json = JSONWriter()
    write(to: &json)
    return json.text + "\n"
  }

  package func write(to json: inout JSONWriter) {
    json.object(.lines) { json in
      for (name, value) in entries {
        switch value {
        case .count(let count): json.member(name.rawValue, count)
        case .number(let number): json.member(name.rawValue, number)
        case .text(let text): json.member(name.rawValue, text)
        }
      }
      if samples.isEmpty { return }
      json.key("samples")
      json.object(.lines) { json in
        for (name, samples) in samples {
          json.key(name.rawValue)
          json.array(.spaced) { json in
            for sample in samples {
              json.object(.spaced) {
                $0.member("text", sample.text)
                $0.member("note", sample.note)
              }
            }
          }
        }
      }
    }
  }

  /// One line: `documents_in 12, documents_out 11, seconds 0.3`.
  ///
  /// Rules that removed nothing are not named.
  package var line: String {
    entries.filter { name, value in
      value != .count(0) || !["dropped_", "lines_removed_"].contains { name.rawValue.hasPrefix($0) }
    }.map { name, value in
      switch value {
      case .count(let count): "\(name) \(count)"
      case .number(let number): "\(name) \((number * 1000).rounded() / 1000)"
      case .text(let text): "\(name) \(text)"
      }
    }.joined(separator: ", ")
  }
}
