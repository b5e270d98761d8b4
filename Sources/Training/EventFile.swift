import Foundation
import Support

/// A TensorBoard event file with scalars: TFRecord framing (length, masked CRC-32C of the length, data, masked CRC-32C of the data)
/// around the protocol buffers `Event` and `Summary`, of which only scalars are written.
///
/// Each start or resumption of a run writes a new file, as TensorBoard expects.
package final class EventFile {
  private let path: String
  private let descriptor: Int32

  package init(directory: String) throws {
    path = Path.join(directory, "events.out.tfevents.\(Int(Date().timeIntervalSince1970)).\(getpid())")
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    var event = Message()
    event.double(1, Date().timeIntervalSince1970)
    event.bytes(3, Array("brain.Event:2".utf8))
    try append(event)
  }

  deinit { close(descriptor) }

  package func write(step: Int, scalars: [(tag: String, value: Double)]) throws {
    var summary = Message()
    for (tag, value) in scalars {
      var entry = Message()
      entry.bytes(1, Array(tag.utf8))
      entry.float(2, Float(value))
      summary.bytes(1, entry.content)
    }
    var event = Message()
    event.double(1, Date().timeIntervalSince1970)
    event.integer(2, step)
    event.bytes(5, summary.content)
    try append(event)
  }

  private func append(_ message: Message) throws {
    let record = Self.record(message.content)
    try record.withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
  }

  /// One TFRecord.
  static func record(_ data: [UInt8]) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(data.count).littleEndian, Array.init)
    return length + littleEndian(masked(length)) + data + littleEndian(masked(data))
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }

  private static func masked(_ data: [UInt8]) -> UInt32 {
    let crc = data.withUnsafeBytes { Hashing.crc32c($0) }
    return (crc >> 15 | crc << 17) &+ 0xa282_ead8
  }
}

/// The wire format of protocol buffers, as far as events need it.
private struct Message {
  private(set) var content: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      content.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    content.append(UInt8(rest))
  }

  private mutating func key(_ field: UInt64, wireType: UInt64) { varint(field << 3 | wireType) }

  mutating func integer(_ field: UInt64, _ value: Int) {
    key(field, wireType: 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: UInt64, _ value: Double) {
    key(field, wireType: 1)
    content += withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
  }

  mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
    key(field, wireType: 2)
    varint(UInt64(value.count))
    content += value
  }

  mutating func float(_ field: UInt64, _ value: Float) {
    key(field, wireType: 5)
    content += withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
  }
}
