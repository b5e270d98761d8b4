import Support

/// A kind of file that is no text, recognized by its first bytes; commands that read text refuse it by name.
///
/// The numbers are those that the formats' own specifications and the manuals of `file` state.
package struct FileFormat: Sendable, Equatable {
  /// What messages call it: `a bzip2 file`.
  package let name: String
  /// What to do about it, as a sentence that follows the message.
  package let remedy: String
  /// Whether `--input-format` may overrule the recognition, because text can look like this.
  package let isGuess: Bool

  init(_ name: String, _ remedy: String, isGuess: Bool = false) {
    (self.name, self.remedy, self.isGuess) = (name, remedy, isGuess)
  }

  /// The most bytes that recognition looks at, apart from the statistics of ``binary(_:encoding:)``.
  static let longestSignature = 512

  /// The message of an input in this format.
  package func failure(file: String?) -> Failure {
    let target = file.map { $0 == "-" ? "FILE" : $0 } ?? "FILE"
    return Failure(
      .badInput, "is \(name), not text", file: file, remedy: remedy.replacing("FILE", with: target))
  }

  /// Throws if the bytes, the first of a file that should be text, begin another kind of file.
  package static func checkText(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    if let format = recognize(bytes) { throw format.failure(file: file) }
  }

  /// Throws if a file that the user has named is no text, before any work is done.
  static func checkBeginning(of file: String, options: ReaderOptions) throws {
    let format = options.format ?? DocumentFormat(ofFileNamed: file)
    if let foreign = try DecodedInput(InputFile(file), format: format, options: options).foreign {
      throw foreign.failure(file: file)
    }
  }

  /// The format of a file that begins with these bytes; nil if it may be text.
  package static func recognize(_ bytes: UnsafeRawBufferPointer) -> FileFormat? {
    signatures.first { $0.matches(bytes) }?.format
  }

  /// Whether more bytes are needed to recognize the format: what there is begins a signature.
  static func mayContinue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count >= longestSignature { return false }
    // Only headers with fields hold a NUL so early, and what follows it tells them apart.
    return bytes.contains(0) || signatures.contains { $0.mayContinue(bytes) }
  }

  // MARK: Statistics

  /// Files whose bytes are not those of text in any encoding, or UTF-16 and UTF-32 without a byte order mark.
  ///
  /// More than 3 % of the sample are NUL, or more than 5 % other control characters than white space,
  /// backspace and escape; and there are at least eight of these.
  static func binary(_ sample: UnsafeRawBufferPointer, encoding: TextEncoding) throws -> FileFormat? {
    if case .named = encoding { return nil }
    var (zeros, controls) = (0, 0)
    for byte in sample where byte < 0x20 {
      if byte == 0 {
        zeros += 1
      } else if byte < 8 || byte > 0x0d && byte != 0x1b {
        controls += 1
      }
    }
    let isBinary = zeros >= 8 && zeros * 100 > 3 * sample.count
    guard isBinary || zeros + controls >= 8 && (zeros + controls) * 20 > sample.count else { return nil }
    if let wide = try CharsetDetection.wideCharset(sample) {
      if encoding == .automatic { return nil }
      return FileFormat(
        "\(wide.name) without a byte order mark", "Add --encoding \(wide.name), or --encoding auto",
        isGuess: true)
    }
    return FileFormat(
      "binary data (\(zeros) NUL bytes and \(controls) other control characters of \(sample.count) bytes)",
      "If it is text, say so with --input-format text; --encoding names an encoding of 16 or 32 bits",
      isGuess: true)
  }
}
