/// A group of rules and its source.
package struct FilterRuleGroup: Sendable {
  package let name: String
  package let source: String

  package static let all = [
    FilterRuleGroup(
      name: "gopher-repetition", source: "Rae et al. 2021, arXiv 2112.11446, table A1 (MassiveText)"),
    FilterRuleGroup(
      name: "gopher-quality", source: "Rae et al. 2021, arXiv 2112.11446, section A.1.1 (MassiveText)"),
    FilterRuleGroup(name: "mc4", source: "Xue et al. 2021, arXiv 2010.11934, section 3.1"),
    FilterRuleGroup(name: "c4", source: "Raffel et al. 2020, arXiv 1910.10683, section 2.2, and its code"),
    FilterRuleGroup(name: "fineweb", source: "Penedo et al. 2024, arXiv 2406.17557, section 3.6"),
  ]
}
