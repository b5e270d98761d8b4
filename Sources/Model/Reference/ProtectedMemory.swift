import Foundation
import Support

/// Memory that can be read and written only while ``opened(_:)`` runs.
///
/// Otherwise its pages are mapped without access, so that a stray read or write stops the program. It shows that a program
/// would also work with a device whose memory is apart from the host's.
final class ProtectedMemory: @unchecked Sendable {
  // Only the thread that calls operations uses it; allocations may be freed by any.
  private let lock = NSLock()
  private var allocations: [UnsafeMutableRawPointer: Int] = [:]
  private var depth = 0

  /// Zeroed bytes.
  func allocate(bytes: Int) throws(Failure) -> DeviceMemory {
    let size = max(bytes, 1)
    let mapping = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw Failure(
        .inputOutput, "cannot allocate \((bytes + 1 << 20 - 1) >> 20) MiB for the model",
        remedy: "Choose a smaller model, batch or context, or a machine with more memory")
    }
    lock.withLock { allocations[mapping] = size }
    return DeviceMemory(DeviceAddress(mapping), byteCount: bytes) { [self] in
      lock.withLock { allocations[mapping] = nil }
      munmap(mapping, size)
    }
  }

  /// Runs `body` with access to all allocations. Calls may be nested: the outermost one decides.
  func opened<Result>(_ body: () -> Result) -> Result {
    change(by: 1)
    defer { change(by: -1) }
    return body()
  }

  private func change(by step: Int) {
    lock.withLock {
      let wasOpen = depth > 0
      depth += step
      guard wasOpen != (depth > 0) else { return }
      for (start, size) in allocations {
        let result = mprotect(start, size, depth > 0 ? PROT_READ | PROT_WRITE : PROT_NONE)
        precondition(result == 0, "mprotect failed")
      }
    }
  }
}
