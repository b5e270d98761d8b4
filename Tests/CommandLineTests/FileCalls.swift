import Foundation
import Support
import TestSupport

/// The calls of a tool that make its files durable, as the library in `Tests/FileCalls` notes them.
struct FileCalls {
  /// A call, in the order in which they were made.
  enum Call: Equatable {
    case write(String)
    case sync(String)
    case rename(String, to: String)
    case exchange(String, with: String)
    case failure(String)
  }

  let calls: [Call]
  let status: Int32
  let errors: String

  /// Builds the library; the path of it.
  static func library(in scratch: Scratch) throws -> String {
    let path = scratch.path("file_calls.so")
    let built = try Subprocess.run(
      "/usr/bin/env",
      ["cc", "-shared", "-fPIC", "-O1", "-o", path, Repository.path("Tests/FileCalls/file_calls.c")])
    guard built.status == 0 else { throw Failure(.failed, "cc: \(built.errors)") }
    return path
  }

  /// Runs a line of shell in a directory of its own. `fault`, such as `fsync:2`, names the call that fails.
  init(_ script: String, in directory: String, library: String, fault: String = "") throws {
    let log = library + "-\(UUID().uuidString).log"
    // The system tells paths without links.
    let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
    let preload = "LD_PRELOAD=\(library) PKM_FILE_CALLS=\(log) PKM_FILE_ROOT=\(root) PKM_FILE_FAULT=\(fault)"
    let result = try runShell("export \(preload); \(script)", in: URL(fileURLWithPath: root))
    (status, errors) = (result.status, result.errors)
    let lines = ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n")
    calls = lines.map { line in
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map { part in
        let path = String(part.replacingOccurrences(of: "/./", with: "/"))
        if path == root { return "." }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : path
      }
      return switch parts[0] {
      case "write": .write(parts[1])
      case "fsync": .sync(parts[1])
      case "rename": .rename(parts[1], to: parts[2])
      case "exchange": .exchange(parts[1], with: parts[2])
      default: .failure(parts[0])
      }
    }
  }

  /// The names that files and directories got by rename.
  var appeared: [String] {
    calls.compactMap {
      switch $0 {
      case .rename(let from, let to) where Self.isTemporary(from) && !Self.isTemporary(to): to
      case .exchange(_, let to): to
      default: nil
      }
    }
  }

  /// What would be lost if the machine stopped, in words; empty if every file was synced after its last write, then
  /// renamed, and the directory of its name synced after that.
  var faults: [String] {
    var faults: [String] = []
    // Paths with their state; a directory is dirty after a rename in it.
    var written: Set<String> = []
    var dirty: Set<String> = []
    var unsynced: [String: String] = [:]
    var synced: Set<String> = []
    func appear(_ from: String, _ to: String) {
      let parts = written.filter { $0 == from || $0.hasPrefix(from + "/") }
      // An empty file.
      if parts.isEmpty && !synced.contains(from) { faults.append("\(from) was never synced before \(to)") }
      for part in parts.sorted() where dirty.contains(part) {
        faults.append("\(part) was not synced before \(to)")
      }
      let isDirectory = parts.contains { $0 != from }
      if isDirectory && dirty.contains(from) { faults.append("\(from) was not synced before \(to)") }
      if isDirectory && !synced.contains(from) { faults.append("\(from) was never synced before \(to)") }
      let directory = Path.directory(of: to)
      if let other = unsynced[directory] { faults.append("\(other) was not made durable before \(to)") }
      unsynced[directory] = to
      for part in parts {
        written.remove(part)
        written.insert(to + part.dropFirst(from.count))
      }
      dirty.insert(directory)
    }
    for call in calls {
      switch call {
      case .write(let path):
        written.insert(path)
        dirty.insert(path)
      case .sync(let path):
        dirty.remove(path)
        synced.insert(path)
        unsynced[path] = nil
      case .rename(let from, let to):
        if Self.isTemporary(from) && !Self.isTemporary(to) { appear(from, to) }
      case .exchange(let from, let to): appear(from, to)
      case .failure: break
      }
    }
    return faults + unsynced.values.map { "\($0): its directory was not synced" }
  }

  private static func isTemporary(_ path: String) -> Bool { TemporaryName.isTemporary(Path.name(of: path)) }
}
