/// The word that someone who mistyped probably meant.
package enum Suggestion {
  /// "Did you mean …?" when a name is near, the list of names otherwise.
  package static func remedy(for word: String, among names: [String]) -> String {
    if let nearest = nearest(to: word, among: names) { return "Did you mean \"\(nearest)\"?" }
    return "There are: " + names.sorted().joined(separator: ", ")
  }

  package static func nearest(to word: String, among names: [String]) -> String? {
    let nearest = names.map { (name: $0, distance: distance(word, $0)) }.min {
      ($0.distance, $0.name) < ($1.distance, $1.name)
    }
    return nearest.flatMap { $0.distance <= max(2, word.count / 3) ? $0.name : nil }
  }

  /// Edits (insertions, deletions, replacements) that make one word of the other (Levenshtein 1965).
  static func distance(_ a: String, _ b: String) -> Int {
    let b = Array(b.utf8)
    var row = Array(0...b.count)
    for (i, x) in a.utf8.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
