/// A location in the memory of a device. Only the operations of that device can read or write there.
package struct DeviceAddress: Hashable, Sendable {
  /// What the number means is the device's affair.
  let bits: UInt

  init(bits: UInt) { self.bits = bits }

  func advanced(by bytes: Int) -> DeviceAddress { DeviceAddress(bits: bits &+ UInt(bitPattern: bytes)) }
}
