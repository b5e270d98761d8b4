import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct IdlePoolTests {
  private final class Tool {}

  @Test func aValueIsMadeOnlyWhenNoneIsIdle() {
    let pool = IdlePool<Tool>()
    var made = 0
    func make() -> Tool {
      made += 1
      return Tool()
    }
    let first = pool.with(orMake: make) { ObjectIdentifier($0) }
    let second = pool.with(orMake: make) { outer in
      pool.with(orMake: make) { #expect($0 !== outer) }
      return ObjectIdentifier(outer)
    }
    #expect(first == second && made == 2 && pool.removeAll().count == 2)
  }
}
