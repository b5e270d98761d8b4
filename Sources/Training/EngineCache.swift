import Foundation
import Model
import Support

/// The file that remembers which way to multiply matrices was the fastest, so that runs of one model on one machine choose
/// alike, however noisy the machine is: `$XDG_CACHE_HOME/pkm/matmul.json`, or in `~/.cache`. It may be deleted.
package enum EngineCache {
  /// What an answer holds for. The number of threads is none of it, because it must not change the bits of a run.
  package struct Question: Codable, Equatable, Sendable {
    var processor: String
    var precision: EngineSettings.Precision
    var dim, tokens: Int
    var candidates: [String]
  }

  private struct Entry: Codable {
    var question: Question
    /// The number of the candidate.
    var answer: Int
  }

  /// nil without a home directory.
  package static var path: String? {
    let environment = ProcessInfo.processInfo.environment
    // The specification has relative paths ignored.
    let base =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment["HOME"].flatMap { $0.hasPrefix("/") ? Path.join($0, ".cache") : nil }
    return base.map { Path.join(Path.join($0, "pkm"), "matmul.json") }
  }

  static func answer(_ question: Question, in path: String?) -> Int? {
    entries(path).first { $0.question == question }?.answer
  }

  /// Remembers the newest hundred answers. A cache that cannot be written is none: the next run measures again.
  static func remember(_ question: Question, _ answer: Int, in path: String?) {
    guard let path else { return }
    let others = entries(path).filter { $0.question != question }.suffix(99)
    do {
      try SystemCall.makeDirectories((path as NSString).deletingLastPathComponent)
      try JSONFile.write(others + [Entry(question: question, answer: answer)], to: path)
    } catch { return }
  }

  /// A file that is missing or damaged holds nothing.
  private static func entries(_ path: String?) -> [Entry] {
    guard let path, let data = FileManager.default.contents(atPath: path) else { return [] }
    return (try? JSONDecoder().decode([Entry].self, from: data)) ?? []
  }
}
