/// Finds special tokens in text as `tokenizers` does: the leftmost first, and the longest of those that begin
/// at the same position.
struct SpecialTokenFinder: Sendable {
  private let tokens: [(text: [UInt8], id: UInt32)]
  private let isFirst: [Bool]

  init(_ tokens: [Tokenizer.SpecialToken]) {
    self.tokens =
      tokens.map { (Array($0.text.utf8), $0.id) }.filter { !$0.text.isEmpty }
      .sorted { $0.text.count > $1.text.count }
    var isFirst = [Bool](repeating: false, count: 256)
    for token in self.tokens { isFirst[Int(token.text[0])] = true }
    self.isFirst = isFirst
  }

  /// Calls `body` with each part of the document between special tokens, and the id of the special token
  /// after it.
  func forEachPart(
    of text: UnsafeBufferPointer<UInt8>, in document: Range<Int>, _ body: (Range<Int>, UInt32?) -> Void
  ) {
    var start = document.lowerBound
    var index = start
    while index < document.upperBound {
      if isFirst[Int(text[index])],
        let found = tokens.first(where: {
          $0.text.count <= document.upperBound - index
            && text[index..<(index + $0.text.count)].elementsEqual($0.text)
        })
      {
        body(start..<index, found.id)
        index += found.text.count
        start = index
      } else {
        index += 1
      }
    }
    body(start..<document.upperBound, nil)
  }
}
