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
  private var blocks: [TestBlock] = []
  private var chunks: [DeviceMemory] = []
  /// Bytes of the last chunk that are taken.
  private var used = 0
  private var kept: [Any] = []

  init(_ device: Device) { self.device = device }

  /// Device memory that holds `numbers`, row by row.
  private func allocate(_ numbers: [UInt8], rows: Int, columns: Int, stride: Int, elementBytes: Int)
    -> DeviceAddress
  {
    let bytes = numbers.spread(
      rows: rows, of: columns * elementBytes, every: stride * elementBytes, margin: TestBlock.margin,
      untouched: TestBlock.untouched)
    let address = takeBytes(bytes.count)
    bytes.withUnsafeBytes { device.upload($0, to: address) }
    blocks.append(
      TestBlock(
        address: address, byteCount: bytes.count, rows: rows, rowBytes: columns * elementBytes,
        strideBytes: stride * elementBytes))
    return address.advanced(by: TestBlock.margin)
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

  private func numbers(
    _ address: DeviceAddress, rows: Int, columns: Int, stride: Int, format: NumberFormat
  ) -> [Double] {
    let count = rows == 0 ? 0 : (rows - 1) * stride + columns
    let bytes = device.download(DeviceArray<UInt8>(address, count: count * format.bytes))
    return format.numbers(bytes, rows: rows, columns: columns, stride: stride)
  }

  /// Whether no operation wrote outside of the tensors.
  var isIntact: Bool {
    blocks.allSatisfy { block in
      block.isIntact(device.download(DeviceArray<UInt8>(block.address, count: block.byteCount)))
    }
  }

  func keep(_ object: Any) { kept.append(object) }

  // MARK: Tensors

  /// - Parameter gap: elements between the rows, which do not belong to the matrix.
  func matrix(_ rows: Int, _ columns: Int, gap: Int = 0, _ number: (Int) -> Double = { _ in .nan }) -> Matrix<
    Scalar
  > {
    let format = NumberFormat.of(Scalar.self), stride = columns + gap
    let address = allocate(
      format.bytes(of: rows * columns, number), rows: rows, columns: columns, stride: stride,
      elementBytes: format.bytes)
    return Matrix(address, rows: rows, columns: columns, stride: stride)
  }

  func vector(_ count: Int, _ number: (Int) -> Double = { _ in .nan }) -> Vector<Scalar> {
    matrix(1, count, number).elements
  }

  /// - Parameter isBF16: by default as the device multiplies.
  func operand(
    _ rows: Int, _ columns: Int, gap: Int = 0, isBF16: Bool? = nil, _ number: (Int) -> Double = { _ in .nan }
  ) -> Operand<Scalar> {
    guard isBF16 ?? device.operandsAreBF16 else { return Operand(matrix(rows, columns, gap: gap, number)) }
    let stride = columns + gap
    let address = allocate(
      NumberFormat.bf16.bytes(of: rows * columns, number), rows: rows, columns: columns, stride: stride,
      elementBytes: 2)
    return Operand(address, rows: rows, columns: columns, stride: stride, isBF16: true)
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
    let bytes = (0..<count).map(element).withUnsafeBytes { [UInt8]($0) }
    let address = allocate(
      bytes, rows: 1, columns: count, stride: count, elementBytes: MemoryLayout<Element>.stride)
    return DeviceArray(address, count: count)
  }

  // MARK: Results

  func numbers(_ x: Matrix<Scalar>) -> [Double] {
    numbers(x.address, rows: x.rows, columns: x.columns, stride: x.stride, format: .of(Scalar.self))
  }

  func numbers(_ x: Vector<Scalar>) -> [Double] { numbers(x.matrix(rows: 1, columns: x.count)) }

  func numbers(_ x: Operand<Scalar>) -> [Double] {
    if let reals = x.reals { return numbers(reals) }
    return numbers(x.address, rows: x.rows, columns: x.columns, stride: x.stride, format: .bf16)
  }

  func numbers<Number: BinaryInteger>(_ x: DeviceArray<Number>) -> [Double] {
    device.download(x).map { Double($0) }
  }

  func set(_ x: Vector<Scalar>, _ i: Int, _ number: Double) {
    [Scalar(number)].withUnsafeBytes { device.upload($0, to: x[i..<i + 1].address) }
  }
}
