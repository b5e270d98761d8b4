import Support

/// What a tensor is filled with before training.
package enum Distribution: Sendable, Equatable {
  case constant(Double)
  case normal(deviation: Double)
  /// Uniform in -bound...bound.
  case uniform(bound: Double)
}

extension CPUOperations {
  package func initialize(_ x: Vector<Scalar>, _ distribution: Distribution, seed: UInt64) {
    if case .constant(let value) = distribution { return fill(x, value) }
    // A random stream for each chunk, so that a table of a billion numbers is drawn by all threads.
    forChunks(of: x.count) { range in
      var random = RandomGenerator(seed: RandomGenerator.mix(seed ^ UInt64(range.lowerBound)))
      for i in range {
        switch distribution {
        case .constant: break
        case .normal(let deviation): x.pointer[i] = Scalar(random.normal() * deviation)
        case .uniform(let bound): x.pointer[i] = Scalar((2 * random.uniform() - 1) * bound)
        }
      }
    }
  }
}
