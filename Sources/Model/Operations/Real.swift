/// The precisions that operations exist in: Float for training, Double for checking gradients with the same code.
package protocol Real: BinaryFloatingPoint, Sendable {}

extension Float: Real {}
extension Double: Real {}
