import Support

extension CPUOperations {
  package func initialize(_ x: Operand<Scalar>, _ distribution: Distribution, seed: UInt64) {
    precondition(x.isDense)
    let kernels = kernels, size = 1 << 15
    scratch.withBuffers(of: Scalar.self, count: x.isBF16 ? size : 0, workers: pool.threads) { buffers in
      // A random stream for each chunk, so that all threads draw a table of a billion numbers.
      pool.forEach((x.count + size - 1) / size) { chunk, worker in
        let first = chunk * size, count = min(size, x.count - first)
        let part = x.part(from: first, rows: 1, columns: count)
        let numbers = part.reals?.pointer ?? buffers[worker]
        var random = RandomGenerator(seed: RandomGenerator.mix(seed ^ UInt64(first)))
        for i in 0..<count {
          switch distribution {
          case .constant(let value): numbers[i] = Scalar(value)
          case .normal(let deviation): numbers[i] = Scalar(random.normal() * deviation)
          case .uniform(let bound): numbers[i] = Scalar((2 * random.uniform() - 1) * bound)
          }
        }
        if x.isBF16 { kernels.round_to_bf16(1, count, numbers, count, part.pointer, count) }
      }
    }
  }
}
