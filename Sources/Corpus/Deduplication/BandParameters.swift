import Foundation

/// How a signature is divided into bands of rows. Two documents are a candidate pair if all rows of some band
/// agree.
package struct BandParameters: Sendable, Equatable, Codable {
  package let bands: Int
  package let rows: Int

  package init(bands: Int, rows: Int) {
    precondition(bands >= 1 && rows >= 1)
    self.bands = bands
    self.rows = rows
  }

  /// The bands and rows, of at most `hashes` hashes, with the smallest sum of two areas under the curve of
  /// ``probability(at:)``: false positives below the threshold and false negatives above it (datasketch
  /// chooses in the same way).
  package static func optimal(threshold: Double, hashes: Int) -> BandParameters {
    let step = 0.001
    let points = stride(from: step / 2, to: 1, by: step).map { $0 }
    var best = (cost: Double.infinity, parameters: BandParameters(bands: 1, rows: 1))
    // sʳ at each point; (1 - sʳ)ᵇ is in `missed`.
    var powers = [Double](repeating: 1, count: points.count)
    for rows in 1...hashes {
      for index in points.indices { powers[index] *= points[index] }
      var missed = [Double](repeating: 1, count: points.count)
      for bands in 1...(hashes / rows) {
        var cost = 0.0
        for index in points.indices {
          missed[index] *= 1 - powers[index]
          cost += points[index] < threshold ? 1 - missed[index] : missed[index]
        }
        if cost < best.cost { best = (cost, BandParameters(bands: bands, rows: rows)) }
      }
    }
    return best.parameters
  }

  /// The probability that two documents of this similarity (the Jaccard index of their shingles) become a
  /// candidate pair: 1 - (1 - sʳ)ᵇ (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
  package func probability(at similarity: Double) -> Double {
    1 - pow(1 - pow(similarity, Double(rows)), Double(bands))
  }

  /// The similarity at which half of the pairs are found.
  package var halfPoint: Double { pow(1 - pow(0.5, 1 / Double(bands)), 1 / Double(rows)) }

  /// The curve as a table of two lines.
  package var curve: String {
    let points = [0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    func line(_ name: String, _ value: (Double) -> String) -> String {
      name + points.map { "  " + value($0) }.joined()
    }
    return line("similarity", { String(format: "%5.2f", $0) }) + "\n"
      + line("found     ", { String(format: "%5.3f", probability(at: $0)) })
  }
}
