import Foundation
import Support
import Testing

@Suite struct InnerPipeTests {
  private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = RandomGenerator(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) | 0x80 }
  }

  /// Reads to the end in pieces of changing size.
  private func read(_ path: String) throws -> [UInt8] {
    let input = try InputFile(path)
    var all: [UInt8] = []
    var size = 1
    while true {
      let piece = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = try input.readSome(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if piece.isEmpty { return all }
      all += piece
      size = size % 70_000 + 997
    }
  }

  @Test(arguments: [0, 1, 4096, 300_000, 2_000_000]) func everyByteInOrder(count: Int) throws {
    let path = "/nowhere/stream-\(count).zst"
    let pipe = InnerPipe(path, capacity: 10_000)
    let sent = bytes(count, seed: UInt64(count))
    let writer = Thread {
      do {
        let output = try OutputFile(path)
        var start = 0
        while start < sent.count {
          let end = min(sent.count, start + 1 + start % 50_000)
          try output.write(Array(sent[start..<end]))
          start = end
        }
        try output.finish()
      } catch { Issue.record(error) }
      pipe.writerLeaves()
    }
    writer.start()
    #expect(try read(path) == sent)
    // No file has come of it, and nothing was compressed.
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func halfAStreamIsNotTakenForTheWhole() throws {
    let path = "/nowhere/half"
    let pipe = InnerPipe(path)
    do {
      let output = try OutputFile(path)
      try output.write(bytes(1000, seed: 1))
      try output.flush()
    }
    pipe.writerLeaves()
    #expect(throws: Failure.self) { try read(path) }
  }

  @Test func nobodyWritesForNobody() throws {
    let path = "/nowhere/abandoned"
    let pipe = InnerPipe(path, capacity: 1000)
    let output = try OutputFile(path)
    pipe.readerLeaves()
    #expect(throws: Failure.self) {
      try output.write(bytes(1 << 20, seed: 1))
      try output.finish()
    }
  }

  @Test func thePathIsFreeAgain() throws {
    let path = "/nowhere/gone"
    do { _ = InnerPipe(path) }
    #expect(InnerPipe.at(path) == nil)
    #expect(throws: Failure.self) { try InputFile(path) }
  }
}
