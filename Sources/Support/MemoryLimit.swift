import Foundation
import Synchronization

/// How much memory this process may use: the least of the machine's memory, the limits of its control groups
/// (containers and batch systems set these, version 1 or 2), and `ulimit -v`, `-m` and `-d`.
///
/// Commands that decide how much to keep in memory ask here alone. A process that takes the memory of the machine
/// for its own is killed where a container holds it.
package enum MemoryLimit {
  /// In bytes; read once.
  package static let bytes = min(
    Int(clamping: ProcessInfo.processInfo.physicalMemory), ofControlGroups() ?? .max, ofProcess() ?? .max)

  /// The memory for data that grows with the input, in bytes: what the user gave, but not more than there is, or a
  /// quarter of that.
  package static func share(given: Int?) -> Int {
    guard let given else { return bytes / 4 }
    if given > bytes, hasWarned.exchange(true, ordering: .relaxed) == false {
      Log.warn(
        "--memory is \(given >> 20) MB, but this process may use \(bytes >> 20) MB (machine, control group, ulimit)"
      )
    }
    return min(given, bytes)
  }

  private static let hasWarned = Atomic<Bool>(false)

  /// The least of the limits of `ulimit`; nil if there is none.
  package static func ofProcess() -> Int? {
    // Address space, resident set, data.
    let limits = [RLIMIT_AS, __RLIMIT_RSS, RLIMIT_DATA].compactMap { resource -> Int? in
      var limit = rlimit()
      guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur < Int.max else {
        return nil
      }
      return Int(limit.rlim_cur)
    }
    return limits.min()
  }

  /// The least limit of the control groups that this process belongs to, and of the groups around them; nil if there
  /// is none.
  ///
  /// `root` is the directory in which `/proc` and the mounts are found.
  package static func ofControlGroups(root: String = "") -> Int? {
    guard let groups = lines(root + "/proc/self/cgroup"), let mounts = lines(root + "/proc/self/mountinfo")
    else {
      return nil
    }
    var limits: [Int] = []
    for mount in mounts {
      // ID, parent, device, root, mount point, options, ..., -, type, source, options of the type.
      let fields = mount.split(separator: " ").map(String.init)
      guard let dash = fields.firstIndex(of: "-"), dash >= 5, fields.count > dash + 1 else { continue }
      let isUnified = fields[dash + 1] == "cgroup2"
      let options = fields.count > dash + 3 ? fields[dash + 3].split(separator: ",") : []
      guard isUnified || fields[dash + 1] == "cgroup" && options.contains("memory") else { continue }
      // ID:controllers:path; the unified hierarchy names no controllers.
      let path = groups.lazy.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
        .first {
          $0.count == 3 && (isUnified ? $0[1].isEmpty : $0[1].split(separator: ",").contains("memory"))
        }
        .map { String($0[2]) }
      guard var path else { continue }
      // In a container the mount shows a part of the hierarchy only.
      if fields[3] != "/", path == fields[3] || path.hasPrefix(fields[3] + "/") {
        path.removeFirst(fields[3].count)
      }
      let names = isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
      var parts = path.split(separator: "/").filter { $0 != ".." }
      while true {
        let directory = Path.join(root + fields[4], parts.joined(separator: "/"))
        limits += names.compactMap { limit(Path.join(directory, $0)) }
        if parts.isEmpty { break }
        parts.removeLast()
      }
    }
    return limits.min()
  }

  /// A limit as a file of a control group states it; nil for `max`, and for the numbers close to 2⁶³ by which version
  /// 1 says the same.
  private static func limit(_ path: String) -> Int? {
    guard let text = lines(path)?.first, let value = Int(text), value > 0, value < 1 << 60 else { return nil }
    return value
  }

  private static func lines(_ path: String) -> [String]? {
    guard let bytes = try? MappedFile.read(path) else { return nil }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
