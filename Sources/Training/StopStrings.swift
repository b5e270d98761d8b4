/// Ends a text before the first of some strings, while it arrives in pieces.
package struct StopStrings {
  private let stops: [[UInt8]]
  /// What may be the beginning of a stop.
  private var held: [UInt8] = []
  package private(set) var isStopped = false

  /// Empty strings stop nothing.
  package init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

  /// The bytes that belong to the text for certain.
  package mutating func add(_ bytes: [UInt8]) -> [UInt8] {
    if isStopped { return [] }
    if stops.isEmpty { return bytes }
    held += bytes
    for start in held.indices {
      let rest = held[start...]
      if stops.contains(where: { rest.starts(with: $0) }) {
        isStopped = true
        return Array(held[..<start])
      }
      // The rest could become a stop.
      if stops.contains(where: { $0.starts(with: rest) }) {
        defer { held.removeFirst(start) }
        return Array(held[..<start])
      }
    }
    defer { held = [] }
    return held
  }

  /// What was held back at the end of the text, which may hold a short stop within the beginning of a longer one.
  package mutating func finish() -> [UInt8] {
    defer { held = [] }
    if isStopped { return [] }
    guard
      let start = held.indices.first(where: { start in
        stops.contains { held[start...].starts(with: $0) }
      })
    else { return held }
    isStopped = true
    return Array(held[..<start])
  }
}
