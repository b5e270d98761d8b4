import Support

// The table of signatures: what people keep beside text, and what unpacks or converts it.
extension FileFormat {
  /// Bytes at an offset that identify a format.
  struct Signature {
    let format: FileFormat
    let offset: Int
    let magic: [UInt8]
    /// The letters alone could begin a text, so a control character must be among the first bytes as well.
    let needsControls: Bool
    let test: (@Sendable (UnsafeRawBufferPointer) -> Bool)?

    init(
      _ magic: [UInt8], _ name: String, _ remedy: String, at offset: Int = 0, needsControls: Bool = false,
      isGuess: Bool = false, test: (@Sendable (UnsafeRawBufferPointer) -> Bool)? = nil
    ) {
      format = FileFormat(name, remedy, isGuess: isGuess)
      (self.offset, self.magic, self.needsControls, self.test) = (offset, magic, needsControls, test)
    }

    init(
      _ magic: String, _ name: String, _ remedy: String, at offset: Int = 0, needsControls: Bool = false,
      isGuess: Bool = false, test: (@Sendable (UnsafeRawBufferPointer) -> Bool)? = nil
    ) {
      self.init(
        Array(magic.utf8), name, remedy, at: offset, needsControls: needsControls, isGuess: isGuess,
        test: test)
    }

    func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
      guard bytes.count >= offset + magic.count, bytes[offset...].starts(with: magic) else { return false }
      return (!needsControls || Self.hasControls(bytes)) && test?(bytes) ?? true
    }

    /// Whether the bytes are a beginning of the magic number, or have it and lack what else is asked.
    func mayContinue(_ bytes: UnsafeRawBufferPointer) -> Bool {
      guard offset == 0, !magic.isEmpty, !bytes.isEmpty else { return false }
      return bytes.count < magic.count
        ? magic.starts(with: bytes)
        : bytes.starts(with: magic) && !matches(bytes)
          && !bytes.contains(0x0a)
    }

    static func hasControls(_ bytes: UnsafeRawBufferPointer) -> Bool {
      bytes.prefix(longestSignature).contains { $0 < 8 || $0 > 0x0d && $0 < 0x20 && $0 != 0x1b }
    }
  }

  private static let media = "Leave it out: pkm-data reads text"
  private static let programs = "Leave it out: it is a program or its data"
  private static let office = "Save or convert it as text, for example with pandoc or LibreOffice"
  private static let tensors = "Leave it out: it holds numbers"

  /// A command of the shell that unpacks the file and passes its text on.
  private static func unpack(_ command: String) -> String { "Unpack it: \(command) FILE | pkm-data …" }

  private static func columns(_ module: String) -> String {
    "Convert it to JSON lines, for example with Python's \(module)"
  }

  // The order decides where several match.
  static let signatures: [Signature] =
    Array([compressed, archives, tables, numbers, documents, pictures, sounds, executables, others].joined())

  private static let compressed: [Signature] = [
    Signature([0x1f, 0x8b, 0x08], "gzip inside of other compression", unpack("gzip -dc")),
    Signature([0x28, 0xb5, 0x2f, 0xfd], "zstd inside of other compression", unpack("zstd -dc")),
    Signature("BZh", "a bzip2 file", unpack("bzip2 -dc")) { bytes in
      // The block size, then the magic number of a block or of the end of the stream.
      bytes.count >= 10 && (0x31...0x39).contains(bytes[3])
        && (bytes[4...].starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
          || bytes[4...].starts(with: [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]))
    },
    Signature([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "an xz file", unpack("xz -dc")),
    Signature([0x5d, 0, 0], "an lzma file", unpack("xz --format=lzma -dc")) { bytes in
      // The dictionary is at most 4 GB, and the size is unknown or below 2^40.
      bytes.count >= 13 && (bytes[5...12].allSatisfy { $0 == 0xff } || bytes[10...12].allSatisfy { $0 == 0 })
    },
    Signature([0x04, 0x22, 0x4d, 0x18], "an lz4 file", unpack("lz4 -dc")),
    Signature([0x02, 0x21, 0x4c, 0x18], "an lz4 file", unpack("lz4 -dc")),
    Signature("LZIP\u{1}", "an lzip file", unpack("lzip -dc")),
    Signature([0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a], "an lzop file", unpack("lzop -dc")),
    Signature([0x1f, 0x9d], "a file of compress (.Z)", unpack("gzip -dc")),
    Signature([0x1f, 0xa0], "a file of compress (lzh)", unpack("gzip -dc")),
    Signature([0x1f, 0x1e], "a file of pack (.z)", unpack("gzip -dc")),
    Signature(
      [0xff, 0x06, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59], "a snappy file", unpack("snzip -dc")),
    Signature("BZ3v1", "a bzip3 file", unpack("bzip3 -dc"), needsControls: true),
    Signature("zPQ", "a zpaq archive", "Unpack it with zpaq x FILE", needsControls: true),
    Signature("7kSt", "a zpaq archive", "Unpack it with zpaq x FILE", needsControls: true),
    Signature([0x78, 0x9c], "a zlib stream", unpack("pigz -dc"), needsControls: true),
    Signature([0x78, 0xda], "a zlib stream", unpack("pigz -dc"), needsControls: true),
    Signature([0x78, 0x01], "a zlib stream", unpack("pigz -dc")) { bytes in
      let start = bytes.prefix(longestSignature)
      return 4 * start.count(where: { $0 >= 0x80 }) > start.count
    },
  ]

  private static let archives: [Signature] = [
    Signature(
      "ustar", "a tar archive", "Unpack it with tar -xf FILE -C DIRECTORY, and give the directory", at: 257),
    // The first tar format has no magic number, but a sum of its header.
    Signature([], "a tar archive", "Unpack it with tar -xf FILE -C DIRECTORY, and give the directory") {
      isOldTar($0)
    },
    Signature(
      [0x50, 0x4b, 3, 4], "a zip archive (or a format based on it: docx, xlsx, odt, epub, npz, PyTorch)",
      unpackZip),
    Signature([0x50, 0x4b, 5, 6], "an empty zip archive", unpackZip),
    Signature([0x50, 0x4b, 7, 8], "a part of a zip archive", unpackZip),
    Signature([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "a 7z archive", "Unpack it with 7z x FILE"),
    Signature([0x52, 0x61, 0x72, 0x21, 0x1a, 0x07], "a rar archive", "Unpack it with unrar x FILE"),
    Signature("!<arch>\n", "an ar archive (or a Debian package)", "Unpack it with ar x FILE"),
    Signature([0xed, 0xab, 0xee, 0xdb], "an rpm package", "Unpack it with rpm2cpio FILE | cpio -id"),
    Signature("MSCF\0\0\0\0", "a cabinet archive", "Unpack it with cabextract FILE"),
    Signature("xar!", "a xar archive", "Unpack it with xar -xf FILE", needsControls: true),
    Signature("-lh", "an lha archive", "Unpack it with lha x FILE", at: 2) { bytes in
      bytes.count >= 7 && bytes[6] == 0x2d && Signature.hasControls(bytes)
    },
    Signature([0x60, 0xea], "an arj archive", "Unpack it with arj x FILE", needsControls: true),
    Signature([0xc7, 0x71], "a cpio archive", unpackCPIO, needsControls: true),
    Signature("070701", "a cpio archive", unpackCPIO) { isHexadecimal($0, 6..<110) },
    Signature("070702", "a cpio archive", unpackCPIO) { isHexadecimal($0, 6..<110) },
    Signature("070707", "a cpio archive", unpackCPIO) { isHexadecimal($0, 6..<76) },
    Signature(
      [0x5a, 0x49, 0x4d, 4], "a ZIM archive", "Extract its articles with zimdump dump --dir=DIRECTORY FILE"),
    Signature(
      "filedesc:", "an ARC file, the older format of web archives",
      "Convert it to WARC: warcio recompress FILE FILE.warc.gz"
    ) { isARC($0) },
  ]

  private static let unpackZip = "Unpack it with unzip FILE -d DIRECTORY, and give the directory"
  private static let unpackCPIO = "Unpack it with cpio -id < FILE"

  private static let tables: [Signature] = [
    Signature("PAR1", "a Parquet file", columns("pyarrow or pandas"), needsControls: true),
    Signature("PARE", "an encrypted Parquet file", columns("pyarrow"), needsControls: true),
    Signature("ARROW1\0\0", "an Arrow or Feather file", columns("pyarrow")),
    Signature([0xff, 0xff, 0xff, 0xff], "an Arrow stream", columns("pyarrow")) { bytes in
      // The length of the first message, a multiple of eight; Hugging Face's datasets are such streams.
      bytes.count >= 8 && bytes[4] & 7 == 0 && bytes[7] == 0 && bytes[4...6].contains { $0 != 0 }
    },
    Signature("FEA1", "a Feather file", columns("pyarrow"), needsControls: true),
    Signature([0x4f, 0x62, 0x6a, 1], "an Avro file", columns("fastavro")),
    Signature("ORC", "an ORC file", columns("pyarrow"), needsControls: true),
    Signature([0x53, 0x45, 0x51, 6], "a Hadoop sequence file", "Convert it to JSON lines"),
    Signature([], "a TFRecord file", columns("tensorflow or tfrecord")) { isTFRecord($0) },
    Signature("SQLite format 3\0", "an SQLite database", "Export it: sqlite3 -json FILE 'SELECT …'"),
    Signature("DUCK", "a DuckDB database", "Export it with COPY … TO 'x.jsonl'", at: 8, needsControls: true),
    Signature("RDX2\n", "R data", "Export it from R"), Signature("RDX3\n", "R data", "Export it from R"),
    Signature("Standard Jet DB\0", "an Access database", "Export it as text", at: 4),
  ]

  private static let numbers: [Signature] = [
    Signature([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "a NumPy array", tensors),
    Signature([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], "an HDF5 file", columns("h5py")),
    Signature([0x0e, 0x03, 0x13, 0x01], "an HDF4 file", tensors),
    Signature([0x43, 0x44, 0x46, 1], "a NetCDF file", tensors),
    Signature([0x43, 0x44, 0x46, 2], "a NetCDF file", tensors),
    Signature([0x43, 0x44, 0x46, 5], "a NetCDF file", tensors),
    Signature("MATLAB 5.0 MAT-file", "a MATLAB file", tensors),
    Signature([0x80], "a Python pickle (or an old PyTorch checkpoint)", columns("pickle, if you trust it")) {
      bytes in
      // The number of the protocol; no character set has a letter of these bytes.
      bytes.count >= 2 && (1...5).contains(bytes[1])
    },
    Signature([], "a safetensors file", tensors) { bytes in
      // The length of the JSON header in eight bytes, then the header.
      bytes.count >= 10 && bytes[3...7].allSatisfy { $0 == 0 } && bytes[8] == 0x7b
        && (bytes[9] == 0x22 || bytes[9] == 0x7d)
    },
    Signature("GGUF", "a GGUF model", tensors, needsControls: true),
    Signature([0x0a], "a SentencePiece model", "Give the text that the model is for") { bytes in
      // A message in field 1 that begins with a string in field 1: the first piece, such as <unk>.
      bytes.count >= 12 && bytes[2] == 0x0a && Int(bytes[1]) > Int(bytes[3]) && bytes[3] > 0
        && Int(bytes[3]) < 64 && bytes.count > 4 + Int(bytes[3]) && bytes[4 + Int(bytes[3])] == 0x15
    },
    Signature([0xba, 0x16, 0x4f, 0x2f], "a fastText model", "Give the text that the model is for"),
    Signature(
      "mmap lm http://kheafield.com/code format", "a KenLM model", "Give the text that the model is for"),
    Signature("MMIDIDX\0\0", "an index of a Megatron dataset", "Use pkm-data import"),
  ]

  private static let documents: [Signature] = [
    Signature("%PDF-", "a PDF file", "Extract its text: pdftotext FILE - | pkm-data …", isGuess: true) {
      $0.count >= 6 && (0x31...0x32).contains($0[5])
    },
    Signature(
      "%!PS-Adobe", "a PostScript file", "Extract its text: ps2ascii FILE | pkm-data …", isGuess: true),
    Signature([0xc5, 0xd0, 0xd3, 0xc6], "an EPS file", "Extract its text with ps2ascii"),
    Signature("{\\rtf", "an RTF file", office, isGuess: true),
    Signature(
      [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], "an old Word, Excel or PowerPoint file", office),
    Signature("AT&TFORM", "a DjVu file", "Extract its text: djvutxt FILE | pkm-data …"),
    Signature("ITSF", "a CHM file", "Extract its pages: extract_chmLib FILE DIRECTORY", needsControls: true),
    Signature("ITOLITLS", "a LIT file", office),
    Signature("BOOKMOBI", "a Mobipocket file", office, at: 60),
  ]

  private static let pictures: [Signature] = [
    Signature([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], "a PNG image", media),
    Signature([0xff, 0xd8, 0xff], "a JPEG image", media) {
      $0.count >= 4 && ($0[3] >= 0xe0 || $0[3] == 0xdb || $0[3] == 0xc4)
    },
    Signature("GIF87a", "a GIF image", media, needsControls: true),
    Signature("GIF89a", "a GIF image", media, needsControls: true),
    Signature([0x49, 0x49, 0x2a, 0], "a TIFF image", media),
    Signature([0x4d, 0x4d, 0, 0x2a], "a TIFF image", media),
    Signature("BM", "a BMP image", media) {
      $0.count >= 14 && $0[6...9].allSatisfy { $0 == 0 } && $0[11...13].allSatisfy { $0 == 0 }
    },
    Signature([0, 0, 1, 0], "an icon", media) {
      $0.count >= 22 && $0[4] > 0 && $0[5] == 0 && $0[10] <= 1 && $0[11] == 0
        && [1, 4, 8, 16, 24, 32].contains($0[12])
    },
    Signature("8BPS", "a Photoshop image", media, needsControls: true),
    Signature("gimp xcf ", "a GIMP image", media),
    Signature([0, 0, 0, 0x0c, 0x6a, 0x50, 0x20, 0x20], "a JPEG 2000 image", media),
    Signature([0xff, 0x0a], "a JPEG XL image", media, needsControls: true),
    Signature([0, 0, 0, 0x0c, 0x4a, 0x58, 0x4c, 0x20], "a JPEG XL image", media),
  ]

  private static let sounds: [Signature] = [
    Signature("RIFF", "a WAVE, AVI or WebP file", media) { bytes in
      bytes.count >= 12
        && ["WAVE", "AVI ", "WEBP", "RMID"].contains { bytes[8...].starts(with: Array($0.utf8)) }
    },
    Signature("OggS\0", "an Ogg file", media),
    Signature("fLaC\0", "a FLAC file", media),
    Signature("ID3", "an MP3 file", media, needsControls: true),
    Signature([0xff, 0xfb], "an MP3 file", media, needsControls: true),
    Signature([0xff, 0xf1], "an AAC file", media, needsControls: true),
    Signature("MThd\0\0\0\u{6}", "a MIDI file", media),
    Signature("FORM", "an AIFF file", media) { $0.count >= 12 && $0[8...].starts(with: Array("AIF".utf8)) },
    Signature("ftyp", "an MP4, HEIC or AVIF file", media, at: 4, needsControls: true),
    Signature("moov", "a QuickTime file", media, at: 4, needsControls: true),
    Signature([0x1a, 0x45, 0xdf, 0xa3], "a Matroska or WebM file", media),
    Signature([0, 0, 1, 0xba], "an MPEG file", media), Signature([0, 0, 1, 0xb3], "an MPEG file", media),
    Signature("FLV\u{1}", "a Flash video", media),
    Signature([0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11], "an ASF file", media),
    Signature("OTTO\0", "a font", media), Signature([0, 1, 0, 0, 0], "a font", media),
    Signature("ttcf\0", "a font", media), Signature("wOFF", "a font", media, needsControls: true),
    Signature("wOF2", "a font", media, needsControls: true),
  ]

  private static let executables: [Signature] = [
    Signature([0x7f, 0x45, 0x4c, 0x46], "an ELF program or library", programs),
    Signature("MZ", "a Windows program", programs) {
      $0.count >= 64 && $0[28...39].contains(0) && Signature.hasControls($0)
    },
    Signature([0xfe, 0xed, 0xfa, 0xce], "a macOS program", programs),
    Signature([0xfe, 0xed, 0xfa, 0xcf], "a macOS program", programs),
    Signature([0xce, 0xfa, 0xed, 0xfe], "a macOS program", programs),
    Signature([0xcf, 0xfa, 0xed, 0xfe], "a macOS program", programs),
    Signature([0xca, 0xfe, 0xba, 0xbe], "a Java class", programs),
    Signature("\0asm", "a WebAssembly module", programs),
    Signature("dex\n03", "an Android program", programs),
    Signature([0x42, 0x43, 0xc0, 0xde], "LLVM bitcode", programs),
    Signature("", "compiled Python", programs, at: 2) { bytes in
      // The version's number, CR and LF, then flags.
      bytes.count >= 16 && bytes[2] == 0x0d && bytes[3] == 0x0a && bytes[1] == 0x0d
        && bytes[4] < 4 && bytes[5...7].allSatisfy { $0 == 0 }
    },
  ]

  private static let others: [Signature] = [
    Signature(
      "version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself",
      "Fetch the file with git lfs pull"),
    Signature(
      "version https://hawser.github.com/spec/", "a pointer of Git LFS, not the file itself",
      "Fetch the file with git lfs pull"),
    Signature(
      "/annex/objects/", "a pointer of git-annex, not the file itself",
      "Fetch the file with git annex get FILE"),
    Signature(
      "../.git/annex/objects/", "a pointer of git-annex, not the file itself",
      "Fetch the file with git annex get FILE"),
    Signature("PACK\0\0\0", "a pack of Git", programs), Signature("DIRC\0\0\0", "an index of Git", programs),
    Signature("# v2 git bundle\n", "a bundle of Git", programs),
    Signature([0, 5, 0x16, 7, 0, 2, 0, 0], "an AppleDouble file of macOS (._NAME)", media),
    Signature("\0\0\0\u{1}Bud1", "a .DS_Store file of macOS", media),
    Signature([0x4c, 0, 0, 0, 1, 0x14, 2, 0], "a Windows shortcut", media),
    Signature([0xde, 0x12, 0x04, 0x95], "a compiled message catalog", "Convert it with msgunfmt FILE"),
    Signature([0x95, 0x04, 0x12, 0xde], "a compiled message catalog", "Convert it with msgunfmt FILE"),
    Signature("age-encryption.org/v1\n", "a file encrypted with age", "Decrypt it with age -d"),
    Signature(
      "-----BEGIN PGP MESSAGE-----", "a file encrypted with PGP", "Decrypt it with gpg -d", isGuess: true),
    Signature(
      "Salted__", "a file encrypted with OpenSSL", "Decrypt it with openssl enc -d", needsControls: true),
    Signature("bplist00", "a binary property list", media, needsControls: true),
  ]

  /// The length of the first record in eight bytes, then its masked CRC-32C.
  private static func isTFRecord(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 12, bytes[5...7].allSatisfy({ $0 == 0 }) else { return false }
    var crc = ~UInt32(0)
    for byte in bytes[..<8] {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    crc = ~crc
    let masked = (crc >> 15 | crc << 17) &+ 0xa282_ead8
    return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) == masked
  }

  private static func isHexadecimal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    bytes.count >= range.upperBound
      && bytes[range].allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 6 }
  }

  /// `filedesc://NAME IP-ADDRESS DATE text/plain LENGTH`, with the version on the next line.
  private static func isARC(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let line = bytes.prefix { $0 != 0x0a }
    return line.split(separator: 0x20).count >= 5 && (bytes.starts(with: Array("filedesc://".utf8)))
  }

  /// A header whose sum is right: names, then numbers in octal digits.
  private static func isOldTar(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 512, bytes[0] != 0, bytes[100..<156].contains(0) else { return false }
    let digits = bytes[148..<156].drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
    guard !digits.isEmpty else { return false }
    let stated = digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }
    let sum =
      bytes[..<148].reduce(0) { $0 + Int($1) } + 8 * 0x20 + bytes[156..<512].reduce(0) { $0 + Int($1) }
    return stated == sum
  }
}
