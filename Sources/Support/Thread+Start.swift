import Foundation

extension Thread {
  /// Starts a thread that ends when `body` returns.
  ///
  /// Its stack takes up to 8 MB, whatever the limits of the process are.
  package static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread { body() }
    thread.name = name
    thread.stackSize = 8 << 20
    thread.start()
  }
}
