import Support

/// Finds the lines or paragraphs that a document repeats, by their 64-bit hashes.
///
/// The open-addressing table is reused for every document.
struct RepeatedPartFinder {
  /// 0 in an empty slot.
  private var hashes = [UInt64](repeating: 0, count: 1 << 10)
  /// The first `mask + 1` slots are in use.
  private var mask = 15
  private var used = 0

  mutating func begin() {
    mask = 15
    for slot in 0...mask { hashes[slot] = 0 }
    used = 0
  }

  /// Whether the same bytes occurred since ``begin()``.
  mutating func wasThere(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if 2 * used > mask { grow() }
    let hash = max(Hashing.xxh3(bytes), 1)
    let slot = slot(of: hash)
    if hashes[slot] == hash { return true }
    hashes[slot] = hash
    used += 1
    return false
  }

  private func slot(of hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] != 0 && hashes[slot] != hash { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let old = hashes[...mask].filter { $0 != 0 }
    mask = 4 * mask + 3
    if mask >= hashes.count { hashes += repeatElement(0, count: mask + 1 - hashes.count) }
    for slot in 0...mask { hashes[slot] = 0 }
    for hash in old { hashes[slot(of: hash)] = hash }
  }
}
