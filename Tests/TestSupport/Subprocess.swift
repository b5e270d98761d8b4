import Foundation

/// Runs a program to its end.
package enum Subprocess {
  /// The longest time that a program may take, in seconds.
  private static let longest = 600.0

  package struct Result: Sendable {
    /// The exit code; 128 and the number of the signal that ended the program.
    package let status: Int32
    package let output: Data
    package let errors: String
    package var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// `environment` is added to that of the tests. A program that runs for ten minutes is killed: a time limit of a suite
  /// cannot end a test that waits for it.
  package static func run(
    _ executable: String, _ arguments: [String], input: Data = Data(), in directory: URL? = nil,
    environment: [String: String] = [:]
  ) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.currentDirectoryURL = directory
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Files rather than pipes: no reader is needed while the program runs, whatever it writes.
    let scratch = try Scratch()
    let files = ["in", "out", "err"].map { URL(fileURLWithPath: scratch.path($0)) }
    try input.write(to: files[0])
    for file in files[1...] { try Data().write(to: file) }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try process.run()
    let limit = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + longest, execute: limit)
    process.waitUntilExit()
    limit.cancel()
    return Result(
      status: process.terminationReason == .exit
        ? process.terminationStatus : 128 + process.terminationStatus,
      output: try Data(contentsOf: files[1]),
      errors: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
  }
}
