import Foundation

/// Memory on pages of 2 MB, if the system has them, for tables that are read at random: address translation
/// of small pages takes longer than the read itself.
package enum LargePages {
  /// Uninitialized memory; the caller deallocates it.
  package static func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value> {
    let bytes = max(1, count * MemoryLayout<Value>.stride)
    let isLarge = bytes >= pageBytes / 2
    let size = isLarge ? (bytes + pageBytes - 1) / pageBytes * pageBytes : bytes
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: isLarge ? pageBytes : 64)
    if isLarge { _ = madvise(memory, size, MADV_HUGEPAGE) }
    return memory.bindMemory(to: type, capacity: count)
  }

  /// Asks for large pages inside memory that has just been allocated and not been written to: clearing a page
  /// of 2 MB takes less time than 512 page faults. Does nothing for less than 8 MB.
  package static func advise(_ memory: UnsafeMutableRawBufferPointer) {
    guard let base = memory.baseAddress, memory.count >= 4 * pageBytes else { return }
    let start = (UInt(bitPattern: base) + UInt(pageBytes) - 1) & ~UInt(pageBytes - 1)
    let end = (UInt(bitPattern: base) + UInt(memory.count)) & ~UInt(pageBytes - 1)
    _ = madvise(UnsafeMutableRawPointer(bitPattern: start)!, Int(end - start), MADV_HUGEPAGE)
  }

  // `madvise` is only advice, so errors are ignored.
  private static let pageBytes = 1 << 21
}
