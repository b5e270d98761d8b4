import Foundation
import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct SafeTensorsTests {
  private let path = NSTemporaryDirectory() + "tensors-\(UUID().uuidString).safetensors"

  private func write() throws -> [Float] {
    let values = (0..<24).map { Float($0) * 0.37 - 3 }
    try values.withUnsafeBufferPointer { buffer in
      try SafeTensors.write(
        [
          .init("a \"quoted\" name", shape: [2, 3], UnsafeBufferPointer(rebasing: buffer[..<6])),
          .init("b", shape: [18], UnsafeBufferPointer(rebasing: buffer[6...])),
        ], to: path)
    }
    return values
  }

  @Test func roundTripKeepsEveryBit() throws {
    defer { unlink(path) }
    let values = try write()
    let contents = try SafeTensors.Contents(path)
    #expect(contents.names == ["a \"quoted\" name", "b"])
    let bytes = try contents.bytes(of: "b", shape: [18])
    #expect(
      (0..<18).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) } == Array(values[6...]))
  }

  @Test func anotherShapeOrNameIsRefused() throws {
    defer { unlink(path) }
    _ = try write()
    let contents = try SafeTensors.Contents(path)
    #expect(throws: Failure.self) { try contents.bytes(of: "b", shape: [3, 6]) }
    #expect(throws: Failure.self) { try contents.bytes(of: "c", shape: [18]) }
    #expect(throws: Failure.self) { try contents.bytes(of: "b", shape: [18], isBF16: true) }
  }

  /// Headers that lie about sizes are refused, whatever the numbers.
  @Test(arguments: [
    #"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}}"#,
    #"{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[2305843009213693951],"data_offsets":[0,9223372036854775804]}}"#,
    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
    #"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, #"["a"]"#,
  ])
  func hostileHeadersAreRefused(header: String) throws {
    defer { unlink(path) }
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    try (length + Data(header.utf8) + Data(count: 16)).write(to: URL(fileURLWithPath: path))
    #expect(throws: Failure.self) { try SafeTensors.Contents(path) }
  }

  /// A file cut at any length is refused, never read past its end.
  @Test func truncationIsNoticed() throws {
    defer { unlink(path) }
    _ = try write()
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for length in 0..<whole.count {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path))
      #expect(throws: Failure.self) { try SafeTensors.Contents(path) }
    }
  }
}
