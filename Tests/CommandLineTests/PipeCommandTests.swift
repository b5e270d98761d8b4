import Foundation
import TestSupport
import Testing

/// A pipe can be read once: what comes through one is what a file would have held.
@Suite(.timeLimit(.minutes(60))) struct PipeCommandTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    // More than a pipe holds and a reader takes at once.
    let lines = (0..<40000).map {
      "the line \($0) has the words \($0 * 7919) and \($0 % 13) and no other end"
    }
    try scratch.write("text.txt", lines.joined(separator: "\n") + "\n")
    try scratch.write("few.txt", "one\ntwo\n")
    try scratch.write("a.jsonl", "{\"text\":\"three\"}\n")
  }

  private func shell(_ script: String) throws -> Subprocess.Result { try runShell(script, in: scratch.url) }

  @Test func countsAreMergedFromPipes() throws {
    let result = try shell(
      """
      pkm-data count-words --quiet text.txt -o whole.counts
      pkm-data count-words --quiet --merge <(cat whole.counts) <(pkm-data count-words --quiet few.txt) -o piped.counts
      pkm-data count-words --quiet text.txt few.txt -o both.counts
      cmp piped.counts both.counts
      pkm-data learn-bpe --quiet --merges 50 --counts <(cat both.counts) -o piped.json
      pkm-data learn-bpe --quiet --merges 50 --counts both.counts -o whole.json
      cmp piped.json whole.json
      """)
    #expect(result.status == 0 && result.text == "" && result.errors == "")
    // Counts say of what they are, also where that is only seen on the way.
    let other = try shell(
      "pkm-data learn-bpe --pre-tokenizer cl100k --counts <(cat both.counts)")
    #expect(other.status == 64 && other.errors.contains("holds counts of the pre-tokenizer gpt2, not cl100k"))
  }

  @Test(.long, arguments: ["", "j"]) func evaluationSetsComeFromPipes(kind: String) throws {
    let result = try shell(
      """
      pkm-data normalize --quiet text.txt --output-format jsonl -o jtext.jsonl
      pkm-data dedup --quiet --against \(kind.isEmpty ? "text.txt" : "jtext.jsonl") text.txt few.txt -o whole.txt
      cat \(kind.isEmpty ? "text.txt" : "jtext.jsonl") > copy
      pkm-data dedup --quiet --against <(cat copy) text.txt few.txt -o piped.txt
      cmp piped.txt whole.txt && cat piped.txt
      """)
    #expect(result.status == 0 && result.text == "one\ntwo\n", "\(result.errors)")
  }

  /// One output has one format: that of the inputs, pipes among them.
  @Test func pipesAmongFilesKeepTheFormat() throws {
    let text = try shell("cat few.txt | pkm-data normalize --quiet few.txt - - <(cat few.txt) /dev/null")
    #expect(text.text == "one\ntwo\none\ntwo\none\ntwo\n", "\(text.errors)")
    let json = try shell("cat a.jsonl | pkm-data normalize --quiet a.jsonl -")
    #expect(json.text == "{\"text\":\"three\"}\n{\"text\":\"three\"}\n")
    let mixed = try shell("cat a.jsonl | pkm-data normalize --quiet few.txt -")
    #expect(mixed.text == "{\"text\":\"one\"}\n{\"text\":\"two\"}\n{\"text\":\"three\"}\n")
    let long = try shell(
      "pkm-data normalize --quiet <(cat text.txt) few.txt > piped; cat text.txt few.txt | cmp - piped")
    #expect(long.status == 0)
  }

  @Test func standardOutputByItsName() throws {
    let result = try shell(
      "{ echo first; pkm-data normalize --quiet few.txt -o /dev/stdout; echo last; } > all; cat all")
    #expect(result.text == "first\none\ntwo\nlast\n")
  }

  /// A file that is opened does not take the place of a stream that is not there.
  @Test func closedStreamsAreErrors() throws {
    let output = try shell("pkm-data normalize few.txt >&-")
    #expect(
      output.status == 74 && output.errors.contains("standard output: cannot write"), "\(output.errors)")
    let input = try shell("pkm-data normalize <&-")
    #expect(input.status == 74 && input.errors.contains("standard input: cannot read"))
    let errors = try shell("pkm-data normalize few.txt 2>&-")
    #expect(errors.status == 0 && errors.text == "one\ntwo\n")
  }

  @Test func outputsAreNamedApart() throws {
    let same = try shell("pkm-data filter --quiet --min-words 2 few.txt -o x.jsonl --rejected x.jsonl")
    #expect(same.status == 64 && same.errors.contains("x.jsonl: --output and --rejected are the same file"))
    let nameless = try shell("pkm-data normalize --quiet few.txt -o ''")
    #expect(nameless.status == 64 && nameless.errors.contains("empty name"))
    let directory = try shell("pkm-data normalize --quiet few.txt -o new/")
    #expect(directory.status == 74 && directory.errors.contains("new/: is a directory"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("new")))
  }

  /// What cannot be read is found before anything is written.
  @Test func namesThatLeadNowhere() throws {
    let broken = try shell("mkdir d && cp few.txt d/a && ln -s nowhere d/b && pkm-data normalize d")
    #expect(broken.status == 74 && broken.text == "" && broken.errors.contains("d/b: cannot open"))
    let foreign = try shell("mkdir f && cp few.txt f/a && cp few.txt $'f/\\xff' && pkm-data normalize f")
    #expect(foreign.status == 74 && foreign.text == "" && foreign.errors.contains("a name that is not UTF-8"))
  }
}
