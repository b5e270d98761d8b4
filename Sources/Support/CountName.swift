/// The name of a count, a number or a text in a ``Summary``, spelled as in its JSON: `documents_in`.
///
/// Each room names what it counts, in a file `CountName+Room.swift`.
package struct CountName: RawRepresentable, Hashable, Codable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }

  package init(_ name: String) { rawValue = name }

  package var description: String { rawValue }
}

// What the summaries of both tools say.
extension CountName {
  package static let bytesIn = CountName("bytes_in")
  package static let bytesOut = CountName("bytes_out")
  package static let documentsIn = CountName("documents_in")
  package static let documentsOut = CountName("documents_out")
  package static let tokens = CountName("tokens")
  package static let seconds = CountName("seconds")
  package static let peakBytes = CountName("peak_bytes")
}
