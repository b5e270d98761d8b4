import CXXHash

/// The XXH64 of bytes that arrive in parts.
package final class StreamingXXH64 {
  private let state: OpaquePointer

  package init() {
    state = XXH64_createState()
    XXH64_reset(state, 0)
  }

  deinit { XXH64_freeState(state) }

  package func update(_ bytes: UnsafeRawBufferPointer) { XXH64_update(state, bytes.baseAddress, bytes.count) }

  package var digest: UInt64 { XXH64_digest(state) }
}
