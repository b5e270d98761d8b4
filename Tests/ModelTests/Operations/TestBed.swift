import Support
import Testing

@testable import Model

/// A device and the tensors that one test gives it.
///
/// Numbers go in and come out as Double, so that one test runs on devices of any precision: what goes in is rounded to
/// Float first, and to bfloat16 in operands that are stored so. Around every tensor and between the rows of views lie bytes
/// that no operation may change.
final class TestBed<Device: Operations> {
  typealias Scalar = Device.Scalar

  let device: Device
  private var blocks: [Block] = []
  private var chunks: [DeviceMemory] = []
  /// Bytes of the last chunk that are taken.
  private var used = 0
  private var kept: [Any] = []

  init(_ device: Device) { self.device = device }

  private struct Block {
    let address: DeviceAddress
    let byteCount: Int
    let elementBytes, rows, columns, stride: Int

    static var margin: Int { 64 }
    static var untouched: UInt8 { 0xa5 }

    /// Whether a byte of the block belongs to the tensor.
    func isInside(_ index: Int) -> Bool {
      let offset = index - Self.margin, row = stride * elementBytes
      return offset >= 0 && offset < rows * row && offset % row < columns * elementBytes
    }
  }

  /// Device memory that holds `elements`, row by row.
  private func allocate<Element>(_ elements: [Element], _ rows: Int, _ columns: Int, gap: Int = 0)
    -> DeviceAddress
  {
    let stride = columns + gap, size = MemoryLayout<Element>.stride
    var bytes = [UInt8](repeating: Block.untouched, count: rows * stride * size + 2 * Block.margin)
    bytes.withUnsafeMutableBytes { bytes in
      elements.withUnsafeBytes { elements in
        for r in 0..<rows {
          let start = Block.margin + r * stride * size
          UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + columns * size])
            .copyMemory(
              from: UnsafeRawBufferPointer(rebasing: elements[r * columns * size..<(r + 1) * columns * size]))
        }
      }
    }
    let address = takeBytes(bytes.count)
    bytes.withUnsafeBytes { device.upload($0, to: address) }
    blocks.append(
      Block(
        address: address, byteCount: bytes.count, elementBytes: size, rows: rows, columns: columns,
        stride: stride))
    return address.advanced(by: Block.margin)
  }

  /// Part of an allocation, on a cache line: devices allocate large pieces only.
  private func takeBytes(_ count: Int) -> DeviceAddress {
    if chunks.isEmpty || used + count > chunks[chunks.count - 1].byteCount {
      do {
        chunks.append(try device.allocate(bytes: max(count, 1 << 20)))
      } catch {
        fatalError("\(error)")
      }
      used = 0
    }
    defer { used += (count + 63) / 64 * 64 }
    return chunks[chunks.count - 1].address.advanced(by: used)
  }

  private func download<Element>(_ address: DeviceAddress, _ rows: Int, _ columns: Int, stride: Int)
    -> [Element]
  {
    (0..<rows).flatMap { r in
      device.download(
        DeviceArray<Element>(
          address.advanced(by: r * stride * MemoryLayout<Element>.stride), count: columns))
    }
  }

  /// Whether no operation wrote outside of the tensors.
  var isIntact: Bool {
    blocks.allSatisfy { block in
      let bytes = device.download(DeviceArray<UInt8>(block.address, count: block.byteCount))
      return bytes.indices.allSatisfy { bytes[$0] == Block.untouched || block.isInside($0) }
    }
  }

  func keep(_ object: Any) { kept.append(object) }

  // MARK: Tensors

  /// - Parameter gap: elements between the rows, which do not belong to the matrix.
  func matrix(_ rows: Int, _ columns: Int, gap: Int = 0, _ number: (Int) -> Double = { _ in .nan }) -> Matrix<
    Scalar
  > {
    let numbers = (0..<rows * columns).map { Scalar(Float(number($0))) }
    return Matrix(
      allocate(numbers, rows, columns, gap: gap), rows: rows, columns: columns, stride: columns + gap)
  }

  func vector(_ count: Int, _ number: (Int) -> Double = { _ in .nan }) -> Vector<Scalar> {
    matrix(1, count, number).elements
  }

  /// - Parameter isBF16: by default as the device multiplies.
  func operand(
    _ rows: Int, _ columns: Int, gap: Int = 0, isBF16: Bool? = nil, _ number: (Int) -> Double = { _ in .nan }
  ) -> Operand<Scalar> {
    guard isBF16 ?? device.operandsAreBF16 else { return Operand(matrix(rows, columns, gap: gap, number)) }
    let bits = (0..<rows * columns).map { UInt16(Float(number($0)).roundedToBF16.bitPattern >> 16) }
    return Operand(
      allocate(bits, rows, columns, gap: gap), rows: rows, columns: columns, stride: columns + gap,
      isBF16: true)
  }

  /// Reals and operand of the same numbers, in one memory where the device multiplies reals.
  func mixedMatrix(_ rows: Int, _ columns: Int, _ number: (Int) -> Double = { _ in .nan }) -> MixedMatrix<
    Scalar
  > {
    let real = matrix(rows, columns, number)
    return MixedMatrix(
      real: real, operand: device.operandsAreBF16 ? operand(rows, columns, number) : Operand(real))
  }

  func norm(_ count: Int, seed: UInt64) -> NormParameters<Scalar> {
    NormParameters(gamma: vector(count, normal(seed)), beta: vector(count, normal(seed + 1)))
  }

  func array<Element>(_ count: Int, _ element: (Int) -> Element) -> DeviceArray<Element> {
    DeviceArray(allocate((0..<count).map(element), 1, count), count: count)
  }

  // MARK: Results

  func numbers(_ x: Matrix<Scalar>) -> [Double] {
    let numbers: [Scalar] = download(x.address, x.rows, x.columns, stride: x.stride)
    return numbers.map { Double($0) }
  }

  func numbers(_ x: Vector<Scalar>) -> [Double] { device.download(x).map { Double($0) } }

  func numbers(_ x: Operand<Scalar>) -> [Double] {
    if let reals = x.reals { return numbers(reals) }
    let bits: [UInt16] = download(x.address, x.rows, x.columns, stride: x.stride)
    return bits.map { Double(Float(bitPattern: UInt32($0) << 16)) }
  }

  func numbers<Number: BinaryInteger>(_ x: DeviceArray<Number>) -> [Double] {
    device.download(x).map { Double($0) }
  }

  func set(_ x: Vector<Scalar>, _ i: Int, _ number: Double) {
    [Scalar(number)].withUnsafeBytes { device.upload($0, to: x[i..<i + 1].address) }
  }
}

extension Float {
  /// To the nearest, ties to even.
  var roundedToBF16: Float {
    isNaN ? .nan : Float(bitPattern: (bitPattern &+ 0x7fff &+ (bitPattern >> 16 & 1)) & 0xffff_0000)
  }
}

/// Numbers that look normally distributed, number i a function of the seed and i.
func normal(_ seed: UInt64, deviation: Double = 1) -> (Int) -> Double {
  { i in
    let bits = RandomGenerator.mix(seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(i))
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)
    return (Double(sum) - 131070) / 37837 * deviation
  }
}

/// Whole numbers from 0 to below `bound`.
func whole(_ seed: UInt64, below bound: Int) -> (Int) -> Double {
  { i in Double(RandomGenerator.mix(seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(i)) % UInt64(bound)) }
}

func constant(_ x: Double) -> (Int) -> Double { { _ in x } }
