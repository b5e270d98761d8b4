import Foundation
import TestSupport
import Testing
import Training

/// The event file as TensorBoard reads it, by a reader of its own.
@Suite(.timeLimit(.minutes(60))) struct EventFileTests {
  @Test func scalarsAreReadBack() throws {
    let scratch = try Scratch()
    do {
      let file = try EventFile(directory: scratch.url.path)
      for step in [127, 128, 300, 1 << 40] {
        try file.write(step: step, scalars: [("train/loss", Double(step) / 4), ("valid/perplexity", -2.5)])
      }
    }
    let name = try #require(scratch.names.first)
    #expect(scratch.names.count == 1 && name.hasPrefix("events.out.tfevents."))
    let events = try records(scratch.bytes(name)).map(fields)
    #expect(events.count == 5)
    // Event: 1 wall time, 2 step, 3 version, 5 summary. Summary: 1 value. Value: 1 tag, 2 number.
    #expect(events[0][3].map { String(decoding: $0[0], as: UTF8.self) } == "brain.Event:2")
    for (event, step) in zip(events.dropFirst(), [127, 128, 300, 1 << 40]) {
      #expect(event[2]?.first.map { number($0) } == step)
      let time = try #require(event[1]?.first).withUnsafeBytes { $0.loadUnaligned(as: Double.self) }
      #expect(abs(time - Date().timeIntervalSince1970) < 600)
      let summary = try #require(event[5]?.first)
      let values = try #require(fields(summary)[1]).map(fields)
      #expect(
        values.map { $0[1].map { String(decoding: $0[0], as: UTF8.self) } } == [
          "train/loss", "valid/perplexity",
        ])
      let numbers = try values.map {
        try #require($0[2]?.first).withUnsafeBytes { $0.loadUnaligned(as: Float.self) }
      }
      #expect(numbers == [Float(step) / 4, -2.5])
    }
  }

  /// TFRecord: length, its checksum, the content, its checksum.
  private func records(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var rest = bytes[...], records: [[UInt8]] = []
    while rest.count >= 16 {
      let length = Array(rest.prefix(8)), count = number(length, bits: 8)
      #expect(number(Array(rest.dropFirst(8).prefix(4)), bits: 8) == masked(length))
      let content = Array(rest.dropFirst(12).prefix(count))
      try #require(content.count == count)
      #expect(number(Array(rest.dropFirst(12 + count).prefix(4)), bits: 8) == masked(content))
      records.append(content)
      rest = rest.dropFirst(16 + count)
    }
    #expect(rest.isEmpty)
    return records
  }

  /// CRC-32C bit by bit, rotated right by 15, plus a constant.
  private func masked(_ bytes: [UInt8]) -> Int {
    var crc: UInt32 = .max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
    }
    crc = ~crc
    return Int((crc >> 15 | crc << 17) &+ 0xa282_ead8)
  }

  /// The fields of a protocol buffer: varints as their bytes, everything else as its content.
  private func fields(_ message: [UInt8]) -> [Int: [[UInt8]]] {
    var rest = message[...], fields: [Int: [[UInt8]]] = [:]
    func varint() -> [UInt8] {
      let bytes = Array(rest.prefix { $0 >= 0x80 }) + rest.drop { $0 >= 0x80 }.prefix(1)
      rest = rest.dropFirst(bytes.count)
      return bytes
    }
    while !rest.isEmpty {
      let key = number(varint())
      let count: Int
      switch key & 7 {
      case 0:
        fields[key >> 3, default: []].append(varint())
        continue
      case 1: count = 8
      case 5: count = 4
      default: count = number(varint())
      }
      fields[key >> 3, default: []].append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return fields
  }

  /// Little-endian, so many bits a byte.
  private func number(_ bytes: [UInt8], bits: Int = 7) -> Int {
    bytes.reversed().reduce(0) { $0 << bits | Int($1) & (1 << bits - 1) }
  }
}
