import Support
import Testing

@testable import Model

@Suite struct BatchNormTests {
  let device: CPUOperations<Double>

  init() throws { device = try CPUOperations(pool: Pools.two) }

  /// Section 9, vector 2 of the reference.
  @Test func referenceVector() {
    let x = matrix(4, 1) { Double($0 + 1) }, y: Matrix<Double> = matrix(4, 1)
    let mean: Vector<Double> = vector(1), variance: Vector<Double> = vector(1)
    let runningMean = vector([0.0]), runningVariance = vector([1.0])
    let norm = NormParameters(gamma: vector([2.0]), beta: vector([0.5]))
    device.columnStatistics(x, mean: mean, variance: variance)
    #expect(mean.array == [2.5] && variance.array == [1.25])
    device.moveRunningStatistics(
      mean: runningMean, variance: runningVariance, towards: mean, variance, rows: 4)
    #expect(abs(runningMean.array[0] - 0.25) < 1e-12 && abs(runningVariance.array[0] - 1.0666666667) < 1e-9)
    device.batchNorm(x, norm, mean: mean, variance: variance, into: y)
    let normal = [-1.34163542, -0.44721181, 0.44721181, 1.34163542]
    #expect(zip(y.array, normal).allSatisfy { abs($0 - (2 * $1 + 0.5)) < 1e-7 })
    let dy = matrix(4, 1) { [1.0, 0, 0, -2][$0] }, dx: Matrix<Double> = matrix(4, 1)
    let gradient = NormParameters<Double>(gamma: vector(1), beta: vector(1))
    device.batchNormBackward(
      x, dy: dy, norm, gradient: gradient, mean: mean, variance: variance, usesBatch: true, into: dx)
    #expect(abs(gradient.gamma.array[0] + 4.0249062599) < 1e-9 && gradient.beta.array == [-1])
    let expected = [-0.1788654033, -0.3577630055, 1.2521866188, -0.7155582100]
    #expect(zip(dx.array, expected).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(abs(dx.array.reduce(0, +)) < 1e-12)
    device.batchNorm(x, norm, mean: runningMean, variance: runningVariance, into: y)
    #expect(
      zip(y.array, [1.95236195, 3.88884454, 5.82532714, 7.76180973]).allSatisfy { abs($0 - $1) < 1e-7 })
  }

  @Test(arguments: [true, false])
  func gradientsMatchFiniteDifferences(usesBatch: Bool) {
    let rows = 9, columns = 70
    let x: Matrix<Double> = randomMatrix(rows, columns, seed: 1),
      dy: Matrix<Double> = randomMatrix(rows, columns, seed: 2)
    let norm = NormParameters<Double>(
      gamma: randomVector(columns, seed: 3), beta: randomVector(columns, seed: 4))
    let gradient = NormParameters<Double>(gamma: vector(columns), beta: vector(columns))
    let mean: Vector<Double> = randomVector(columns, seed: 5),
      variance: Vector<Double> = vector(columns) { 0.5 + Double($0) / 70 }
    let y: Matrix<Double> = matrix(rows, columns), dx: Matrix<Double> = matrix(rows, columns)
    func loss() -> Double {
      if usesBatch { device.columnStatistics(x, mean: mean, variance: variance) }
      device.batchNorm(x, norm, mean: mean, variance: variance, into: y)
      return dot(y, dy)
    }
    _ = loss()
    device.batchNormBackward(
      x, dy: dy, norm, gradient: gradient, mean: mean, variance: variance, usesBatch: usesBatch, into: dx)
    #expect(gradientError(of: x.elements, gradient: dx.array, loss: loss) < 1e-7)
    #expect(gradientError(of: norm.gamma, gradient: gradient.gamma.array, loss: loss) < 1e-7)
    #expect(gradientError(of: norm.beta, gradient: gradient.beta.array, loss: loss) < 1e-7)
  }

  /// The running statistics of many batches come to those of the population.
  @Test func runningStatisticsConverge() {
    let runningMean = vector([0.0, 0]), runningVariance = vector([1.0, 1])
    let mean: Vector<Double> = vector(2), variance: Vector<Double> = vector(2)
    var random = RandomGenerator(seed: 3)
    for _ in 0..<300 {
      let x = matrix(200, 2) { i in random.normal() * (i % 2 == 0 ? 2 : 0.5) + (i % 2 == 0 ? -3 : 7) }
      device.columnStatistics(x, mean: mean, variance: variance)
      device.moveRunningStatistics(
        mean: runningMean, variance: runningVariance, towards: mean, variance, rows: 200)
    }
    #expect(abs(runningMean.array[0] + 3) < 0.2 && abs(runningMean.array[1] - 7) < 0.05)
    #expect(abs(runningVariance.array[0] - 4) < 0.4 && abs(runningVariance.array[1] - 0.25) < 0.025)
  }
}
