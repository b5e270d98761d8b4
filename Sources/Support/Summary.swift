import Foundation

/// The counts and timings of one run, in the order in which they were first added, with samples of what was
/// counted.
///
/// `--summary` writes it as JSON; without the samples it is a line on standard error.
package struct Summary: Sendable {
  package enum Value: Sendable, Equatable {
    case count(Int)
    case number(Double)
    case text(String)
  }

  /// An example of what a count has counted.
  package struct Sample: Sendable, Equatable {
    /// The beginning of the text.
    package let text: String
    /// Why it was counted, such as "7, at least 50".
    package let note: String
  }

  package private(set) var entries: [(name: CountName, value: Value)] = []
  package private(set) var samples: [(name: CountName, samples: [Sample])] = []

  package static let sampleLimit = 4
  /// The most bytes of text in a sample.
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

  /// Adds a sample of what the count has counted, unless there are ``sampleLimit`` already.
  package mutating func addSample(
    of name: CountName, _ text: UnsafeRawBufferPointer, note: @autoclosure () -> String = ""
  ) {
    if samples.first(where: { $0.name == name })?.samples.count == Self.sampleLimit { return }
    // Do not cut inside a character.
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

  /// Adds the counts and samples of another part of the run; its numbers and texts replace those of this one.
  package mutating func merge(_ other: Summary) {
    for (name, value) in other.entries {
      if case .count(let count) = value { add(name, count) } else { self[name] = value }
    }
    for (name, samples) in other.samples { add(samples, of: name) }
  }

  /// One JSON object with its keys in the order in which they were added, and the samples, if there are any,
  /// under `samples`.
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
  /// Leaves out the rules that have removed nothing.
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
