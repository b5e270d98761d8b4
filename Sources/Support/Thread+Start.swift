import Foundation

extension Thread {
  /// Starts a thread that ends when `body` returns.
  ///
  /// Its stack takes up to 8 MB, whatever the limits of the process are.
  package static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    final class Work {
      let name: String
      let body: @Sendable () -> Void
      init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
    }
    let work = Unmanaged.passRetained(Work(name, body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 8 << 20)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    // Foundation's Thread says nothing where the system has no room for another one, and its work would be awaited forever.
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
        Thread.current.name = work.name
        work.body()
        return nil
      }, work.toOpaque())
    if code != 0 { MemoryExhaustion.endAtOnce() }
  }
}
