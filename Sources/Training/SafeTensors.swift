import Foundation
import Model
import Support

/// The safetensors format: a little-endian header length, a JSON header with the type, shape and offsets of each tensor,
/// then the bytes of the tensors back to back. Any Python with `safetensors` reads it.
package enum SafeTensors {
  enum ElementType: String {
    case float32 = "F32"
    case bfloat16 = "BF16"

    var bytes: Int { self == .float32 ? 4 : 2 }

    /// The index of the first number whose exponent has all bits set.
    func firstNotFinite(in bytes: UnsafeRawBufferPointer) -> Int? {
      switch self {
      case .float32: Self.first(in: bytes.bindMemory(to: UInt32.self), withExponent: 0x7f80_0000)
      case .bfloat16: Self.first(in: bytes.bindMemory(to: UInt16.self), withExponent: 0x7f80)
      }
    }

    private static func first<Bits: FixedWidthInteger>(
      in numbers: UnsafeBufferPointer<Bits>, withExponent exponent: Bits
    ) -> Int? {
      // A pass without a branch for each number first: there is nearly always nothing to find.
      var found: Bits = 0
      for bits in numbers { found |= bits & exponent == exponent ? 1 : 0 }
      return found == 0 ? nil : numbers.firstIndex { $0 & exponent == exponent }
    }
  }

  /// A number that no checkpoint may hold.
  struct NotFinite: Error {
    let tensor: String
    let index: Int
  }

  package struct Tensor {
    package let name: String
    package let shape: [Int]
    package let byteCount: Int
    let type: ElementType
    /// Fills a buffer with the bytes from an offset on.
    fileprivate let copy: (_ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Void

    /// A dense matrix in the memory of a device, as it is stored there.
    package init(
      _ name: String, shape: [Int], _ stored: Operand<Float>, on device: some Operations<Float>
    ) {
      precondition(stored.isDense && stored.count == shape.reduce(1, *))
      (self.name, self.shape, byteCount) = (name, shape, stored.byteCount)
      type = stored.isBF16 ? .bfloat16 : .float32
      copy = { device.download(stored.address(ofByte: $0), into: $1) }
    }

    /// The largest absolute value; infinite if a number is none.
    func largest() -> Float {
      var largest: Float = 0
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 64)
      defer { buffer.deallocate() }
      for offset in stride(from: 0, to: byteCount, by: buffer.count) {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, byteCount - offset)])
        copy(offset, part)
        switch type {
        case .bfloat16:
          for bits in part.bindMemory(to: UInt16.self) {
            let size = Float(bitPattern: UInt32(bits & 0x7fff) << 16)
            if !(size <= largest) { largest = size.isNaN ? .infinity : size }
          }
        case .float32:
          for number in part.bindMemory(to: Float.self) where !(abs(number) <= largest) {
            largest = number.isNaN ? .infinity : abs(number)
          }
        }
      }
      return largest
    }

    private init(copyOf other: Tensor, in memory: UnsafeRawBufferPointer) {
      (name, shape, byteCount, type) = (other.name, other.shape, other.byteCount, other.type)
      copy = { $1.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[$0..<$0 + $1.count])) }
    }

    /// A copy in memory of the host, which must stay as long as the copy is used.
    func copy(in memory: UnsafeMutableRawBufferPointer) -> Tensor {
      precondition(memory.count == byteCount)
      copy(0, memory)
      return Tensor(copyOf: self, in: UnsafeRawBufferPointer(memory))
    }

    /// Numbers of the host, which must stay where they are.
    package init(_ name: String, shape: [Int], _ elements: UnsafeBufferPointer<Float>) {
      let bytes = UnsafeRawBufferPointer(elements)
      (self.name, self.shape, byteCount, type) = (name, shape, bytes.count, .float32)
      copy = { $1.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + $1.count])) }
    }
  }

  /// Writes the tensors in the order given, 4 MiB at a time. Throws what ``OutputFile`` throws, and a ``NotFinite`` at the
  /// first number that is infinite or none at all.
  package static func write(_ tensors: [Tensor], to path: String) throws {
    var json = JSONWriter()
    json.object {
      $0.key("__metadata__")
      $0.object { $0.member("format", "pkm") }
      var offset = 0
      for tensor in tensors {
        $0.key(tensor.name)
        $0.object {
          $0.member("dtype", tensor.type.rawValue)
          $0.key("shape")
          $0.array(.spaced) { for side in tensor.shape { $0.value(side) } }
          $0.key("data_offsets")
          $0.array {
            $0.value(offset)
            offset += tensor.byteCount
            $0.value(offset)
          }
        }
      }
    }
    var header = json.text
    // The data start at a multiple of eight bytes.
    header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let file = try OutputFile(path)
    try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try file.write($0) }
    try file.write(header)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    for tensor in tensors {
      for offset in stride(from: 0, to: tensor.byteCount, by: buffer.count) {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<min(buffer.count, tensor.byteCount - offset)])
        tensor.copy(offset, part)
        if let index = tensor.type.firstNotFinite(in: UnsafeRawBufferPointer(part)) {
          throw NotFinite(tensor: tensor.name, index: offset / tensor.type.bytes + index)
        }
        try file.write(UnsafeRawBufferPointer(part))
      }
    }
    try file.finish()
  }

  /// A mapped file and the byte ranges of its tensors.
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
          remedy: Checkpoint.another)
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

    package func shape(of name: String) -> [Int]? { entries[name]?.shape }

    /// Copies a tensor to a device. Throws if it is absent or its shape or type differs.
    package func read(
      _ name: String, shape: [Int], into stored: Operand<Float>, on device: some Operations<Float>
    ) throws {
      precondition(stored.isDense && stored.count == shape.reduce(1, *))
      device.upload(try bytes(of: name, shape: shape, isBF16: stored.isBF16), to: stored.address)
    }

    /// The bytes of a tensor of float32 or bfloat16; they live as long as these contents.
    package func bytes(of name: String, shape: [Int], isBF16: Bool = false) throws -> UnsafeRawBufferPointer {
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
      return UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
    }
  }
}
