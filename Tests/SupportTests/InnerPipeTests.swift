import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct InnerPipeTests {
  private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = RandomGenerator(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) | 0x80 }
  }

  /// Reads to the end in pieces of changing size.
  private func read(_ pipe: InnerPipe) throws -> [UInt8] {
    let input = try InputFile(.pipe(pipe))
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
        let output = try OutputFile(.pipe(pipe))
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
    #expect(try read(pipe) == sent)
    // No file has come of it, and nothing was compressed.
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func halfAStreamIsNotTakenForTheWhole() throws {
    let pipe = InnerPipe("half")
    do {
      let output = try OutputFile(.pipe(pipe))
      try output.write(bytes(1000, seed: 1))
      try output.flush()
    }
    pipe.writerLeaves()
    #expect(throws: Failure.self) { try read(pipe) }
  }

  @Test func nobodyWritesForNobody() throws {
    let pipe = InnerPipe("abandoned", capacity: 1000)
    let output = try OutputFile(.pipe(pipe))
    pipe.readerLeaves()
    #expect(throws: Failure.self) {
      try output.write(bytes(1 << 20, seed: 1))
      try output.finish()
    }
  }
}
