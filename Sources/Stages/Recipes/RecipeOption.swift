/// An option that a recipe may give a stage: a long flag of its subcommand.
package struct RecipeOption: Sendable {
  package enum Kind: Sendable {
    /// True or false.
    case flag
    case text
    /// A file, relative to the recipe, whose content decides the result.
    case file
    /// The file of the tokenizer that a stage encodes with.
    case tokenizer
    /// Text, or after @ a file.
    case textOrFile
    /// Files or directories of documents, or names of splits.
    case documents
    /// A file that the stage writes beside its documents, relative to the current directory.
    case outputFile
  }

  /// The name and its aliases.
  let names: [String]
  let kind: Kind
  /// Whether the option may be given several times: a recipe gives a list.
  let isRepeating: Bool

  package init(_ names: String..., kind: Kind = .text, isRepeating: Bool = false) {
    (self.names, self.kind, self.isRepeating) = (names, kind, isRepeating)
  }

  package static func flag(_ name: String) -> RecipeOption { RecipeOption(name, kind: .flag) }
  package static func text(_ name: String) -> RecipeOption { RecipeOption(name) }
  package static func file(_ name: String) -> RecipeOption { RecipeOption(name, kind: .file) }
  package static func list(_ name: String) -> RecipeOption { RecipeOption(name, isRepeating: true) }
  package static func files(_ name: String) -> RecipeOption {
    RecipeOption(name, kind: .file, isRepeating: true)
  }
}
