import Foundation
import Support

/// Memory of the processor as a device.
enum HostMemory {
  /// Zeroed bytes that start at a huge page.
  ///
  /// The system hands out memory page by page at the first touch, in huge pages where it can: with small pages almost
  /// every random read of a value row would miss the address cache.
  static func allocate(bytes: Int) throws(Failure) -> DeviceMemory {
    let page = 2 << 20, size = (bytes + page - 1) / page * page + page
    let mapping = mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw Failure(
        .inputOutput, "cannot allocate \(size >> 20) MiB for the model",
        remedy: "Choose a smaller model, batch or context, or a machine with more memory")
    }
    let base = mapping.alignedUp(toMultipleOf: page)
    LargePages.advise(UnsafeMutableRawBufferPointer(start: base, count: size - page))
    return DeviceMemory(DeviceAddress(base), byteCount: bytes) { munmap(mapping, size) }
  }
}

extension CPUOperations {
  package func allocate(bytes: Int) throws(Failure) -> DeviceMemory { try HostMemory.allocate(bytes: bytes) }

  package func upload(_ bytes: UnsafeRawBufferPointer, to address: DeviceAddress) {
    if let base = bytes.baseAddress { memcpy(address.pointer, base, bytes.count) }
  }

  package func download(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer) {
    if let base = bytes.baseAddress { memcpy(base, address.pointer, bytes.count) }
  }

  package func setBytes(_ address: DeviceAddress, count: Int, to byte: UInt8) {
    memset(address.pointer, Int32(byte), count)
  }

  package func moveRowsToFront(_ rows: [Int], of x: Operand<Scalar>) {
    let bytes = x.columns * x.elementBytes
    for (row, from) in rows.enumerated() where row != from {
      precondition(from > row && from < x.rows)
      memcpy(x.rows(row..<row + 1).pointer, x.rows(from..<from + 1).pointer, bytes)
    }
  }

  /// Every operation is complete when it returns.
  package func synchronize() {}
}
