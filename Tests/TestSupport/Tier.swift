import Foundation
import Testing

/// Which tests run: all, or with `PKM_TESTS=quick`, as `Tests/run.sh --quick` sets it, those of a minute.
package enum Tier {
  package static let isQuick = ProcessInfo.processInfo.environment["PKM_TESTS"] == "quick"
}

extension Trait where Self == ConditionTrait {
  /// Takes seconds: a quick run leaves it out.
  package static var long: Self { .disabled(if: Tier.isQuick, "PKM_TESTS=quick leaves out the long tests") }

  /// Needs the peers: a quick run leaves it out.
  package static var peers: Self {
    .enabled(if: Peers.python != nil, "PKM_PEERS_PYTHON is not set, or PKM_TESTS=quick")
  }
}
