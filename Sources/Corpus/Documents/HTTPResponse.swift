import Foundation
import Support

/// The head of an HTTP response as it was sent: the content of a WARC record.
struct HTTPResponse {
  let head: HeaderFields
  /// The type of the body.
  let media: MediaType

  /// A longer head is no head.
  private static let longestHead = 1 << 20

  /// nil if there is no valid head.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.starts(with: Array("HTTP/".utf8)),
      let head = HeaderFields(UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.longestHead)))
    else { return nil }
    self.head = head
    media = MediaType(head["content-type"] ?? "")
  }

  /// The status code; nil if the status line is broken.
  var status: Int? {
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
