import Testing

@testable import Training

@Suite(.timeLimit(.minutes(60))) struct RetentionTests {
  @Test(arguments: [
    (Retention(newest: 2), [400, 500]), (Retention(newest: 9), [0, 100, 200, 300, 400, 500]),
    (Retention(newest: 1, every: 200), [200, 400, 500]),
    // Of equal losses the first; step 300 was not evaluated, and 400 gave no number.
    (Retention(newest: 1, losses: [100: 2, 200: 1, 400: .nan, 500: 1, 600: 0]), [200, 500]),
    (Retention(newest: 1, every: 300, losses: [0: 3, 100: 4]), [0, 300, 500]),
    (Retention(newest: 1, losses: [:]), [500]),
  ]) func keeps(_ retention: Retention, _ kept: [Int]) {
    #expect(retention.kept(of: [0, 100, 200, 300, 400, 500]).sorted() == kept)
  }
}
