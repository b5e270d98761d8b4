import Foundation
import Model
import Training

/// The operations of a benchmark, with their rates as shares of the machine's ceilings.
struct OperationTable {
  private let ceilings: MachineCeilings
  /// The ceiling of matrix multiplication, in floating-point operations per second: of the best unit of the processor
  /// for the precision.
  let peakFlops: Double

  init(_ ceilings: MachineCeilings, precision: EngineSettings.Precision) {
    self.ceilings = ceilings
    peakFlops = ceilings.matmul(precision)
  }

  /// The ceilings on one line, each followed by its worst measurement.
  static func describe(_ ceilings: MachineCeilings, threads: Int) -> String {
    func text(_ what: String, _ ceiling: MachineCeilings.Ceiling, _ format: String, _ unit: String) -> String
    {
      String(format: "%@ \(format) (\(format)) %@", what, ceiling.best / 1e9, ceiling.poorest / 1e9, unit)
    }
    let units = [
      ("float32", ceilings.float32), ("bfloat16", ceilings.bfloat16), ("bytes", ceilings.bytes),
      ("AMX", ceilings.tiles), ("AMX from cache", ceilings.cachedTiles),
    ]
    // A unit that the processor lacks is not named.
    let kinds =
      units.filter { $0.1.best > 0 }.map {
        text($0.0, $0.1, "%.0f", $0.0 == "bytes" ? "GOP/s" : "GFLOP/s")
      } + [
        text("sequential memory", ceilings.stream, "%.1f", "GB/s"),
        text("random rows of 4 KiB", ceilings.randomRows, "%.1f", "GB/s"),
      ]
    return
      "ceilings with \(threads) threads, best (worst) of \(ceilings.measurements) measurements: "
      + kinds.joined(separator: ", ")
  }

  /// One line per operation and shape; `seconds` is the time of the whole step.
  func text(of operations: [OperationLog.Entry], seconds: Double) -> String {
    let head =
      "\n" + Self.pad("operation", 30) + Self.pad("shape", 36)
      + "calls        ms      %    GFLOP/s   GB/s  of ceiling"
    return ([head] + operations.map { line($0, of: seconds) }).joined(separator: "\n") + "\n"
  }

  /// The time and the rate of a whole step.
  func summary(of what: String, _ timing: StepBenchmark.Timing, tokens: Int) -> String {
    let rate = timing.operations.reduce(0) { $0 + $1.flops } / timing.mean
    return String(
      format:
        "%@: %.1f ms (%.1f to %.1f, %d times), %.0f tokens/s; %.1f %% of it in the operations; matmuls %.0f GFLOP/s over the whole time",
      what, 1e3 * timing.seconds, 1e3 * timing.fastest, 1e3 * timing.slowest, timing.repetitions,
      Double(tokens) / timing.seconds, 100 * timing.accounted, rate / 1e9)
      + (peakFlops > 0 ? String(format: ", %.0f %% of the ceiling", 100 * rate / peakFlops) : "")
  }

  private func line(_ entry: OperationLog.Entry, of step: Double) -> String {
    var line = Self.pad(entry.name, 30) + Self.pad(entry.detail, 36)
    line += String(format: "%5d %9.2f %6.1f", entry.calls, 1e3 * entry.seconds, 100 * entry.seconds / step)
    // The scores of a memory lookup are float32 in any precision, but bytes may estimate them.
    let flopCeiling = entry.name.hasPrefix("memory: lookup") ? ceilings.scores : peakFlops
    let flopRate = entry.flops / entry.seconds, byteRate = entry.bytes / entry.seconds
    line += entry.flops > 0 ? String(format: "  %9.1f", flopRate / 1e9) : String(repeating: " ", count: 11)
    line += entry.bytes > 0 ? String(format: " %6.1f", byteRate / 1e9) : String(repeating: " ", count: 7)
    if entry.flops > 0, flopCeiling > 0 {
      line += String(format: "  %3.0f %% of matmul", 100 * flopRate / flopCeiling)
    } else if entry.bytes > 0 {
      line += String(format: "  %3.0f %% of memory", 100 * byteRate / ceilings.stream.best)
    }
    return line
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
