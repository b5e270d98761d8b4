import Foundation
import Support

/// The safetensors format: a little-endian header length, a JSON header that gives each tensor's type, shape
/// and place, then the tensors' bytes back to back.
///
/// Any Python with `safetensors` reads it.
package enum SafeTensors {
  enum ElementType: String {
    case float32 = "F32"
    case bfloat16 = "BF16"

    var bytes: Int { self == .float32 ? 4 : 2 }
  }

  package struct Tensor {
    package let name: String
    package let shape: [Int]
    package let bytes: UnsafeRawBufferPointer
    let type: ElementType

    /// float32 or, with `isBF16`, bfloat16.
    package init(_ name: String, shape: [Int], _ bytes: UnsafeRawBufferPointer, isBF16: Bool) {
      (self.name, self.shape, self.bytes, type) = (name, shape, bytes, isBF16 ? .bfloat16 : .float32)
    }

    package init(_ name: String, shape: [Int], _ elements: UnsafeBufferPointer<Float>) {
      self.init(name, shape: shape, UnsafeRawBufferPointer(elements), isBF16: false)
    }
  }

  /// Writes the tensors in the order given.
  ///
  /// Throws what ``OutputFile`` throws.
  package static func write(_ tensors: [Tensor], to path: String) throws {
    var offset = 0
    let entries = tensors.map { tensor in
      let begin = offset
      offset += tensor.bytes.count
      return
        "\(JSONText.quote(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":\(tensor.shape),\"data_offsets\":[\(begin),\(offset)]}"
    }
    var header = "{\"__metadata__\":{\"format\":\"pkm\"}" + entries.map { "," + $0 }.joined() + "}"
    // The data start at a multiple of eight bytes.
    header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let file = try OutputFile(path)
    try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try file.write($0) }
    try file.write(header)
    for tensor in tensors { try file.write(tensor.bytes) }
    try file.finish()
  }

  /// A mapped file and where its tensors lie.
  package struct Contents {
    package let path: String
    private let file: MappedFile
    private let entries: [String: (type: ElementType, shape: [Int], range: Range<Int>)]

    /// Throws `badInput` for a file that is truncated or not safetensors at all.
    package init(_ path: String) throws {
      self.path = path
      file = try MappedFile(path)
      func damaged(_ why: String) -> Failure {
        Failure(
          .badInput, "the file is damaged or not a safetensors file (\(why))", file: path,
          remedy: "Use another checkpoint of the run")
      }
      guard file.bytes.count >= 8 else { throw damaged("it has \(file.bytes.count) bytes") }
      let length = Int(clamping: UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self)))
      guard length <= file.bytes.count - 8 else { throw damaged("its header is cut off") }
      let header = Data(file.bytes[8..<(8 + length)])
      guard let object = try? JSONSerialization.jsonObject(with: header) as? [String: Any] else {
        throw damaged("its header is no JSON object")
      }
      var entries: [String: (type: ElementType, shape: [Int], range: Range<Int>)] = [:]
      for (name, value) in object where name != "__metadata__" {
        guard let entry = value as? [String: Any],
          let type = (entry["dtype"] as? String).flatMap(ElementType.init),
          let shape = entry["shape"] as? [Int], let offsets = entry["data_offsets"] as? [Int],
          offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1],
          offsets[1] - offsets[0] == Self.byteCount(type, shape)
        else { throw damaged("the entry of \(name) makes no sense") }
        guard offsets[1] <= file.bytes.count - 8 - length else { throw damaged("\(name) is cut off") }
        entries[name] = (type, shape, (8 + length + offsets[0])..<(8 + length + offsets[1]))
      }
      self.entries = entries
    }

    /// nil for a shape that no file can hold.
    private static func byteCount(_ type: ElementType, _ shape: [Int]) -> Int? {
      shape.reduce(type.bytes) { product, side in
        guard let product, side >= 0 else { return nil }
        let (result, overflows) = product.multipliedReportingOverflow(by: side)
        return overflows ? nil : result
      }
    }

    package var names: Set<String> { Set(entries.keys) }

    /// Copies a tensor.
    ///
    /// Throws if it is absent or its shape differs.
    package func read(_ name: String, shape: [Int], into target: UnsafeMutableBufferPointer<Float>) throws {
      try read(name, shape: shape, into: UnsafeMutableRawBufferPointer(target))
    }

    /// The same of float32 or, with `isBF16`, bfloat16.
    package func read(
      _ name: String, shape: [Int], into target: UnsafeMutableRawBufferPointer, isBF16: Bool = false
    ) throws {
      guard let entry = entries[name] else {
        throw Failure(.badInput, "the tensor \(name) is missing", file: path)
      }
      guard entry.shape == shape, entry.type == (isBF16 ? .bfloat16 : .float32) else {
        throw Failure(
          .badInput,
          "the tensor \(name) is \(entry.type.rawValue) of shape \(entry.shape), the model wants \(shape)",
          file: path,
          remedy: "Use the configuration that the checkpoint was made with")
      }
      target.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: file.bytes[entry.range]))
    }
  }
}
