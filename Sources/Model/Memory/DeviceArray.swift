/// A view of consecutive elements in device memory: token ids, slots, sums.
package struct DeviceArray<Element>: Sendable, Equatable {
  package let address: DeviceAddress
  package let count: Int

  package init(_ address: DeviceAddress, count: Int) { (self.address, self.count) = (address, count) }

  package var byteCount: Int { count * MemoryLayout<Element>.stride }

  package subscript(range: Range<Int>) -> DeviceArray {
    DeviceArray(
      address.advanced(by: range.lowerBound * MemoryLayout<Element>.stride), count: range.count)
  }
}

extension Operations {
  /// Copies elements of the host into the start of `target`.
  package func upload<Element>(_ elements: UnsafeBufferPointer<Element>, to target: DeviceArray<Element>) {
    precondition(elements.count <= target.count)
    upload(UnsafeRawBufferPointer(elements), to: target.address)
  }

  /// Waits for all operations before it and returns the elements.
  package func download<Element>(_ source: DeviceArray<Element>) -> [Element] {
    [Element](unsafeUninitializedCapacity: source.count) { elements, count in
      download(source.address, into: UnsafeMutableRawBufferPointer(elements))
      count = source.count
    }
  }

  /// Waits for all operations before it and returns the elements.
  package func download(_ source: Vector<Scalar>) -> [Scalar] {
    download(DeviceArray(source.address, count: source.count))
  }
}
