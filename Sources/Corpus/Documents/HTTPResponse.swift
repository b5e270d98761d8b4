import Foundation
import Support

/// The head of an HTTP response as it was sent: the content of a WARC record.
///
/// Interim responses before it (RFC 9110, section 15.2: 100 Continue, 103 Early Hints) are passed over; a crawler may have
/// stored them with it.
struct HTTPResponse {
  let head: HeaderFields
  /// Where the body begins.
  let bodyStart: Int
  /// The type of the body.
  let media: MediaType

  private static let mark = Array("HTTP/".utf8)
  /// A longer head is no head.
  private static let longestHead = 1 << 20

  /// nil if there is no valid head.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var start = 0
    func nextHead() -> HeaderFields? {
      let rest = bytes[start...]
      guard rest.starts(with: Self.mark) else { return nil }
      return HeaderFields(UnsafeRawBufferPointer(rebasing: rest.prefix(Self.longestHead)))
    }
    guard var head = nextHead() else { return nil }
    start += head.length
    while let status = Self.status(of: head), status != 101, (100..<200).contains(status),
      let next = nextHead()
    {
      head = next
      start += next.length
    }
    (self.head, bodyStart) = (head, start)
    media = MediaType(head["content-type"] ?? "")
  }

  /// The status code; nil if the status line is broken.
  var status: Int? { Self.status(of: head) }

  private static func status(of head: HeaderFields) -> Int? {
    let words = head.start.split(separator: " ", maxSplits: 2)
    return words.count < 2 ? nil : Int(words[1])
  }

  /// The codings of the body in the order in which they were applied, in lower case.
  var codings: [String] { list("content-encoding") + list("transfer-encoding") }

  /// The length of the body if the head states it and the body has no coding.
  var plainLength: Int? {
    codings.isEmpty ? head["content-length"].flatMap { Int($0) } : nil
  }

  /// The elements of a field that is a list, without their parameters.
  private func list(_ name: String) -> [String] {
    head.values(of: name).flatMap { $0.split(separator: ",") }.map { element in
      element.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
    }.filter { !$0.isEmpty }
  }
}
