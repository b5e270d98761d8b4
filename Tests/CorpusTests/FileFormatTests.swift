import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// Files that are no text are refused by name, and never read as text.
@Suite(.timeLimit(.minutes(60))) struct FileFormatTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// The beginning of a file of each kind, written by hand from the formats' specifications, and part of its name.
  private static let files: [(name: String, bytes: [UInt8])] = [
    ("bzip2", Array("BZh91AY&SY".utf8) + [0x4e, 0xec, 0xe8, 0x36, 0, 0, 2, 0x51]),
    ("bzip2", Array("BZh9".utf8) + [0x17, 0x72, 0x45, 0x38, 0x50, 0x90, 0, 0, 0, 0]),
    ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4]),
    ("lzma", [0x5d, 0, 0, 0x80, 0] + [UInt8](repeating: 0xff, count: 8) + [0, 0x34]),
    ("lz4", [0x04, 0x22, 0x4d, 0x18, 0x64, 0x40]),
    ("lzip", Array("LZIP".utf8) + [1, 0x0c]),
    ("compress", [0x1f, 0x9d, 0x90, 0x61]),
    ("zip", [0x50, 0x4b, 3, 4, 20, 0]),
    ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4]),
    ("rar", [0x52, 0x61, 0x72, 0x21, 0x1a, 7, 1, 0]),
    ("ar archive", Array("!<arch>\ndebian-binary".utf8)),
    ("cpio", Array(("070701" + String(repeating: "0", count: 104) + "name").utf8)),
    ("Parquet", Array("PAR1".utf8) + (0...255)),
    ("Arrow or Feather", Array("ARROW1\0\0".utf8) + [0xff, 0xff, 0xff, 0xff]),
    ("Arrow stream", [0xff, 0xff, 0xff, 0xff, 0x78, 1, 0, 0, 0x10, 0]),
    ("Avro", [0x4f, 0x62, 0x6a, 1, 4, 0x14]),
    ("ORC", Array("ORC".utf8) + [0x0a, 3, 0, 0, 0]),
    ("SQLite", Array("SQLite format 3\0".utf8)),
    ("NumPy", [0x93] + Array("NUMPY".utf8) + [1, 0]),
    ("HDF5", [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]),
    ("pickle", [0x80, 4, 0x95, 0x10]),
    ("safetensors", [0x40, 0, 0, 0, 0, 0, 0, 0] + Array(#"{"x":{"dtype":"F32"}}"#.utf8)),
    ("SentencePiece", [0x0a, 0x0e, 0x0a, 5] + Array("<unk>".utf8) + [0x15, 0, 0, 0, 0, 0x18, 2]),
    ("fastText", [0xba, 0x16, 0x4f, 0x2f, 12, 0, 0, 0]),
    ("PDF", Array("%PDF-1.7\n%\u{e2}\n1 0 obj".utf8)),
    ("RTF", Array(#"{\rtf1\ansi text}"#.utf8)),
    ("Word", [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
    ("PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]),
    ("JPEG", [0xff, 0xd8, 0xff, 0xe0, 0, 0x10]),
    ("GIF", Array("GIF89a".utf8) + [1, 0, 1, 0]),
    ("WAVE", Array("RIFF".utf8) + [0x24, 0, 0, 0] + Array("WAVEfmt ".utf8)),
    ("MP4", [0, 0, 0, 0x20] + Array("ftypisom".utf8)),
    ("Ogg", Array("OggS\0".utf8) + [2]),
    ("ELF", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]),
    ("font", [0, 1, 0, 0, 0, 0x0a]),
    ("ARC", Array("filedesc://IA-001.arc 0.0.0.0 20100101000000 text/plain 76\n1 0 Internet".utf8)),
    ("Git LFS", Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".utf8)),
    ("git-annex", Array("/annex/objects/SHA256E-s31390--f50d7ac4c6b9.txt\n".utf8)),
    ("binary data", [UInt8](repeating: 0, count: 400)),
    ("binary data", (0..<600).flatMap { [UInt8($0 % 251), UInt8($0 / 251)] }),
  ]

  /// What `tar` writes: the name, numbers in octal digits, the sum, then the content.
  private static func tar(_ magic: String) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
    }
    for (text, offset) in [
      ("a.txt", 0), ("0000644", 100), ("0000000", 108), ("0000000", 116), ("00000000006", 124),
      ("14000000000", 136), ("        ", 148), ("0", 156), (magic, 257),
    ] {
      put(text, at: offset)
    }
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    put(String(repeating: "0", count: 6 - sum.count) + sum + "\0", at: 148)
    return header + Array("hello\n".utf8) + [UInt8](repeating: 0, count: 506 + 1024)
  }

  @Test func recognizesWhatIsNoText() throws {
    for (name, bytes) in Self.files + [
      ("TFRecord", [20, 0, 0, 0, 0, 0, 0, 0, 94, 61, 41, 21] + Array("the text of a record".utf8)),
      ("tar", Self.tar("ustar\u{0}00")), ("tar", Self.tar("ustar  ")), ("tar", Self.tar("")),
    ] {
      // As it is, compressed, and among other files.
      for (file, content) in [("x", bytes), ("x.jsonl", bytes), ("x.gz", Gzip.compress(bytes))] {
        let path = try scratch.write("d/\(file)", content)
        let failure = #expect(throws: Failure.self, "\(name)") { try ReadDocuments([path]) }
        #expect(failure?.kind == .badInput && failure?.file == path && failure?.remedy?.isEmpty == false)
        #expect(failure?.message.contains(name) == true, "\(name): \(failure?.message ?? "")")
        try scratch.write("d/a.txt", "a\n")
        let found = try ReadDocuments([scratch.path("d")])
        #expect(found.texts == ["a"] && found.counts.count(.inputsNotTextSkipped) == 1, "\(name)")
        #expect(throws: Failure.self) {
          try ReadDocuments([scratch.path("d")], ReaderOptions(isStrict: true))
        }
        unlink(path)
      }
    }
  }

  @Test func compressionInsideOfCompressionIsNoText() throws {
    for suffix in [".gz", ".zst"] {
      let inner = try scratch.compressed(Array("text\n".utf8), as: "inner" + suffix)
      let path = try scratch.write("x.gz", Gzip.compress(inner))
      let failure = #expect(throws: Failure.self) { try ReadDocuments([path]) }
      #expect(failure?.message.contains("inside of other compression") == true)
    }
  }

  /// Text that begins with the letters of a magic number is text.
  @Test func doesNotMistakeText() throws {
    let texts = [
      "BZh is how bzip2 files begin\n", "PAR1 golf results\n", "ORC armies\n", "MZ and BM and ID3 and PK\n",
      "GIF89a is a format\n", "RIFF raff\n", "FORM 10-K\n", "ftyp\n", "070701 is a date\n",
      "filedesc is a word\n",
      "%PDF? no\n", "Obj\n", "GGUF\n", "7z archives\n", "Rar!\n", "-lh5- is an archive\n", "x\n",
      "{\\it text}\n",
      "version https://example.com/\n", "NA\u{8}ME\u{8}E overstruck\n", "\u{1b}[1mbold\u{1b}[0m\n",
      "\u{c}page\n", "\u{feff}marked\n", "ÿØÿ\n",
    ]
    for text in texts {
      let found = try ReadDocuments([scratch.write("t", text)])
      #expect(found.texts == [text.replacing("\n", with: "").replacing("\u{feff}", with: "")], "\(text)")
    }
    // A few NUL bytes do not make a text binary.
    let few = try ReadDocuments([scratch.write("t", String(repeating: "text \u{0}", count: 7) + "\n")])
    #expect(few.texts.count == 1)
  }

  @Test func wideTextWithoutAMarkIsForDetection() throws {
    let text = "UTF-16 without a mark, as some programs write it.\n"
    let wide = text.utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
    let path = try scratch.write("wide.txt", wide)
    let failure = #expect(throws: Failure.self) { try ReadDocuments([path]) }
    #expect(failure?.remedy?.contains("--encoding utf-16le") == true)
    let found = try ReadDocuments([path], ReaderOptions(encoding: .automatic))
    #expect(found.texts == [String(text.dropLast())])
    let named = try ReadDocuments([path], ReaderOptions(encoding: .named(#require(Charset("utf-16")))))
    #expect(named.texts == [String(text.dropLast())])
  }

  /// What is only likely can be overruled, a magic number cannot.
  @Test func theUserMayInsist() throws {
    let noise = try scratch.write("noise", [UInt8](repeating: 1, count: 100) + [0x0a])
    #expect(throws: Failure.self) { try ReadDocuments([noise]) }
    #expect(try ReadDocuments([noise], ReaderOptions(format: .text)).texts.count == 1)
    let image = try scratch.write("image", Self.files.first { $0.name == "PNG" }!.bytes)
    #expect(throws: Failure.self) { try ReadDocuments([image], ReaderOptions(format: .text)) }
  }

  @Test func listsAndEvaluationSetsAreText() throws {
    let parquet = try scratch.write("e/z.parquet", Self.files.first { $0.name == "Parquet" }!.bytes)
    #expect(throws: Failure.self) { try Blocklist(reading: parquet) }
    #expect(throws: Failure.self) { try URLBlocklist(reading: parquet) }
    var texts = EvaluationSet(ngram: 3)
    #expect(throws: Failure.self) {
      try texts.add(files: [parquet], options: ReaderOptions(), textField: nil)
    }
    try scratch.write("e/a.txt", "one two three four\n")
    try texts.add(files: [scratch.path("e")], options: ReaderOptions(), textField: nil)
    #expect(texts.textCount == 1 && texts.counts.count(.inputsNotTextSkipped) == 1)
    // A list may be compressed.
    let list = try scratch.write("list.gz", Gzip.compress(Array("\u{feff}bad words\n".utf8)))
    #expect(try Blocklist(reading: list).phraseCount == 1)
  }
}
