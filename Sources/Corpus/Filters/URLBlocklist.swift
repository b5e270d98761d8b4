import Support

/// URLs that no document may come from, one per line of a file. Lines that begin with `#` are comments.
///
/// `example.com` blocks that host and its subdomains (`www.example.com`). `example.com/forum` blocks that URL
/// and those that continue it with `/`, `?` or `#`. The scheme, `www.`, a user name, a port and the case of
/// the host are ignored.
package struct URLBlocklist: Sendable {
  private let hosts: Set<[UInt8]>
  private let paths: Set<[UInt8]>
  package var count: Int { hosts.count + paths.count }

  package init(reading path: String) throws {
    let lines = try TextFile.lines(path)
    if let wrong = lines.first(where: { !Self.isAddress($0.text) }) {
      throw Failure(
        .usage, "\"\(wrong.text.prefix(60))\" is no host and no URL, and would block nothing", file: path,
        line: wrong.number,
        remedy: "Write one host or URL per line, without patterns; a host stands for its subdomains, too")
    }
    self.init(addresses: lines.map(\.text))
    if count == 0 {
      throw Failure(
        .usage, "the blocklist contains no URL", file: path, remedy: "Write one host or URL per line")
    }
  }

  package init(addresses: [String]) {
    var hosts: Set<[UInt8]> = []
    var paths: Set<[UInt8]> = []
    for line in addresses {
      let bytes = Array(line.utf8).drop { $0 <= 0x20 }
      guard let first = bytes.first, first != UInt8(ascii: "#") else { continue }
      let trimmed = bytes.reversed().drop { $0 <= 0x20 || $0 == UInt8(ascii: "/") }.reversed()
      let (host, path) = Self.split(Array(trimmed))
      if host.isEmpty { continue }
      if path.isEmpty { hosts.insert(host) } else { paths.insert(host + path) }
    }
    self.hosts = hosts
    self.paths = paths
  }

  /// Whether a line is empty, a comment, or something that an address can be equal to.
  ///
  /// Lines of hosts files, rules of ad blockers, patterns with `*`, and comments behind an address are none of these.
  private static func isAddress(_ line: String) -> Bool {
    let bytes = Array(line.utf8.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed())
    if bytes.isEmpty || bytes.first == UInt8(ascii: "#") { return true }
    let host = split(bytes).host
    return !host.isEmpty && !bytes.contains { $0 <= 0x20 }
      && host.allSatisfy { byte in
        byte >= 0x80 || byte &- 0x61 < 26 || byte &- 0x30 < 10 || "-._~%:[]".utf8.contains(byte)
      }
  }

  func blocks(_ address: [UInt8]) -> Bool {
    let (host, path) = Self.split(address)
    var part = host[...]
    while true {
      if hosts.contains(Array(part)) { return true }
      guard let dot = part.firstIndex(of: UInt8(ascii: ".")) else { break }
      part = part[(dot + 1)...]
    }
    if paths.isEmpty { return false }
    let whole = host + path
    for end in host.count...whole.count where end == whole.count || Self.endsHost(whole[end]) {
      if paths.contains(Array(whole[..<end])) { return true }
    }
    return false
  }

  private static func endsHost(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  /// The host in lower case without `www.`, and the rest from the first `/`, `?` or `#` on.
  private static func split(_ address: [UInt8]) -> (host: [UInt8], path: [UInt8]) {
    var rest = address[...]
    if let scheme = rest.firstIndex(of: UInt8(ascii: ":")), rest[scheme...].starts(with: "://".utf8) {
      rest = rest[(scheme + 3)...]
    }
    let end = rest.firstIndex(where: endsHost) ?? rest.endIndex
    var host = rest[..<end]
    if let user = host.lastIndex(of: UInt8(ascii: "@")) { host = host[(user + 1)...] }
    // Not the colons of an IPv6 address such as [::1].
    if let port = host.lastIndex(of: UInt8(ascii: ":")),
      host[(port + 1)...].allSatisfy({ $0 &- 0x30 < 10 })
    {
      host = host[..<port]
    }
    var small = host.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
    if small.last == UInt8(ascii: ".") { small.removeLast() }
    if small.starts(with: "www.".utf8) { small.removeFirst(4) }
    return (small, Array(rest[end...]))
  }
}
