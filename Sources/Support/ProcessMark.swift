import Foundation

/// Names a process among all that may share a file system: `pkm-HOST-PID-START`.
///
/// HOST is a hash of the host's name and of the namespace of process ids, which containers have of their own; START is
/// when the process began, because a process id is used again.
package struct ProcessMark: Equatable, CustomStringConvertible, Sendable {
  private let host: String
  private let process: Int
  private let start: Int

  /// That of this process.
  package static var own: ProcessMark {
    // Not stored: a process that forks has another id than its parent.
    let process = Int(getpid())
    return ProcessMark(host: ownHost, process: process, start: startTime(of: process) ?? 0)
  }

  package var description: String { "pkm-\(host)-\(process)-\(start)" }

  private init(host: String, process: Int, start: Int) {
    (self.host, self.process, self.start) = (host, process, start)
  }

  /// From its words; nil if it is not one.
  init?(_ words: ArraySlice<Substring>) {
    let words = Array(words)
    guard words.count == 4, words[0] == "pkm", TemporaryName.isHexadecimal(words[1]),
      words[2...].allSatisfy({
        $0.utf8.count <= 18 && !$0.isEmpty && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 }
      }),
      let process = Int(words[2]), let start = Int(words[3])
    else { return nil }
    self.init(host: String(words[1]), process: process, start: start)
  }

  package var isOnThisHost: Bool { host == Self.ownHost }

  /// Whether the process lives on this host. One of another host cannot be known.
  package var isAlive: Bool {
    if !isOnThisHost { return false }
    if !Path.exists("/proc/self/stat") { return kill(pid_t(truncatingIfNeeded: process), 0) == 0 }
    return Self.startTime(of: process) == start
  }

  private static let ownHost: String = {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, 255)
    let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let namespace = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? ""
    let hash = Hashing.xxh3(String(decoding: host, as: UTF8.self) + "\n" + namespace)
    return TemporaryName.hexadecimal(UInt32(truncatingIfNeeded: hash))
  }()

  /// When a process began, in clock ticks since the boot: field 22 of `/proc/PID/stat`; nil if there is no such process.
  private static func startTime(of process: Int) -> Int? {
    guard let bytes = try? MappedFile.read("/proc/\(process)/stat") else { return nil }
    // The name of the program, in parentheses, may hold anything.
    guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19 else { return nil }
    // A dead process whose parent has not asked for its exit code is no writer.
    if fields[0].first == UInt8(ascii: "Z") || fields[0].first == UInt8(ascii: "X") { return nil }
    return Int(String(decoding: fields[19], as: UTF8.self))
  }
}
