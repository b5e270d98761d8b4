import Support

/// One zeroed allocation of a device, which an ``ArenaPlan`` cuts into buffers. The buffers live as long as the arena.
///
/// The model makes three kinds: parameters, gradients and activations.
package final class Arena {
  let address: DeviceAddress
  /// Nil unless the plan is checked.
  let ledger: BufferLedger?
  private let memory: DeviceMemory?

  init(bytes: Int, on device: some Operations, isChecked: Bool) throws(Failure) {
    let memory = try device.allocate(bytes: bytes)
    (self.memory, address) = (memory, memory.address)
    ledger =
      isChecked
      ? BufferLedger {
        device.setBytes(memory.address.advanced(by: $0.lowerBound), count: $0.count, to: 0xff)
      } : nil
  }

  /// Without memory: its addresses must not be used.
  init() { (address, ledger, memory) = (DeviceAddress(bits: 64), nil, nil) }
}
