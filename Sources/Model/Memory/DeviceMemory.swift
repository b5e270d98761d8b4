/// An allocation in the memory of a device, which it owns: it is freed with the object.
package final class DeviceMemory {
  package let address: DeviceAddress
  package let byteCount: Int
  private let free: () -> Void

  package init(_ address: DeviceAddress, byteCount: Int, free: @escaping () -> Void) {
    (self.address, self.byteCount, self.free) = (address, byteCount, free)
  }

  deinit { free() }
}
