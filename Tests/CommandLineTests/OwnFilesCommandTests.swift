import Foundation
import Support
import TestSupport
import Testing

/// What a command writes is none of its inputs, and nothing that carries no mark of ours is touched.
@Suite(.timeLimit(.minutes(60))) struct OwnFilesCommandTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try scratch.write("d/a.txt", "a\n")
  }

  private func shell(_ script: String) throws -> Subprocess.Result { try runShell(script, in: scratch.url) }

  @Test func anOutputInsideTheInputDirectoryStaysWhatItIs() throws {
    for _ in 0..<3 {
      let result = try Tool.data(
        "normalize", "d", "-o", "d/out.txt", "--summary", "d/summary.json", in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      #expect(try scratch.text("d/out.txt") == "a\n")
    }
    let counts = try readSummary(scratch.path("d/summary.json"))
    #expect(counts["inputs_skipped_own"] as? Int == 2 && counts["documents_in"] as? Int == 1)
    let said = try Tool.data("normalize", "d", "-o", "d/out.txt", in: scratch.url).errors
    #expect(said.contains("d/out.txt: is --output of this command and no input, skipped"))
  }

  /// A dataset and a checkpoint hold their own files alone, whether they are there already or are being made.
  @Test func nothingIsWrittenIntoADatasetOrACheckpoint() throws {
    try SampleDataset.write(scratch.path("data"), documents: 20)
    try scratch.write("run/step-00000002/trainer.json", "{\"code_version\" : \"0.1.0\"}")
    try scratch.write(
      "recipe.yaml", "inputs: d\noutput: out\nstages:\n  - learn-bpe: {merges: 3}\n  - encode\n")
    #expect(try shell("pkm-data learn-bpe --quiet --merges 3 d -o bpe.json; ln -s data link").status == 0)
    for (command, what) in [
      ("pkm-data run recipe.yaml --summary out/s.json", "--summary lies in output"),
      ("pkm-data run recipe.yaml --summary ./out//x/s.json", "--summary lies in output"),
      ("pkm-data encode --tokenizer bpe.json d -o new/ --summary new/s.json", "--summary lies in --output"),
      ("pkm-data shard data -o new --summary new/s.json", "--summary lies in --output"),
      ("pkm-data export data --format numpy -o new --summary new/s.json", "--summary lies in --output"),
      ("pkm-data normalize d -o data/out.txt", "--output lies in a dataset"),
      ("pkm-data normalize d -o link/out.txt", "--output lies in a dataset"),
      ("pkm-data verify data --summary data/s.json", "--summary lies in a dataset"),
      (
        "pkm-train eval --checkpoint run --summary run/step-00000002/s.json",
        "--summary lies in a checkpoint"
      ),
      (
        "pkm-train generate --checkpoint run x --summary run/step-00000002/s.json",
        "--summary lies in a checkpoint"
      ),
      ("pkm-train report run -o run/step-00000002/r.html", "--output lies in a checkpoint"),
      ("pkm-train report run --summary run/step-00000002/s.json", "--summary lies in a checkpoint"),
    ] {
      let names = try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path).sorted()
      let result = try shell(command)
      #expect(result.status == 64 && result.errors.contains(what), "\(command): \(result.errors)")
      #expect(try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path).sorted() == names)
    }
    // Beside them is where they belong.
    #expect(try shell("pkm-data run recipe.yaml --quiet --summary out.json").status == 0)
    #expect(try shell("pkm-data run recipe.yaml --quiet --summary out-2/s.json").status != 64)
  }

  @Test func everyOutputOfEveryCommandIsLeftOut() throws {
    let commands = [
      "filter d --rules gopher-quality --rejected d/rejected.jsonl -o d/kept.txt",
      "dedup d --report d/report.jsonl -o d/unique.txt",
      "dedup d --method minhash -o d/near.txt",
      "count-words d -o d/counts",
      "learn-bpe --merges 3 d -o d/bpe.json",
      "encode d --tokenizer d/bpe.json -o d/ids.txt",
      "normalize 'd/*.txt' -o d/b.txt",
    ]
    for command in commands {
      let name = command.split(separator: " ").last!
      try FileManager.default.removeItem(at: scratch.url.appendingPathComponent("d"))
      try scratch.write("d/a.txt", "some words of a text\n")
      if command.contains("encode") {
        #expect(try shell("pkm-data learn-bpe --quiet --merges 3 d -o d/bpe.json").status == 0)
      }
      var results: [String] = []
      for _ in 0..<2 {
        let result = try shell("pkm-data \(command) --summary s.json")
        #expect(result.status == 0, "\(command): \(result.errors)")
        results.append(try scratch.text(String(name)))
        #expect(try readSummary(scratch.path("s.json"))["documents_in"] as? Int == 1, "\(command)")
      }
      #expect(results[0] == results[1], "\(command)")
    }
  }

  @Test func standardOutputAndErrorInTheInputDirectoryAreNoInputs() throws {
    for _ in 0..<3 {
      #expect(try shell("pkm-data normalize d > d/out.txt 2> d/log.txt").status == 0)
      #expect(try scratch.text("d/out.txt") == "a\n")
    }
  }

  @Test func anInputThatIsAnOutputIsRefused() throws {
    try scratch.write("big.txt", "text\n")
    link(scratch.path("big.txt"), scratch.path("hard.txt"))
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("link.txt"), withDestinationPath: "big.txt")
    let scripts = [
      "pkm-data normalize big.txt >> big.txt", "pkm-data normalize < big.txt >> big.txt",
      "pkm-data normalize big.txt -o big.txt", "pkm-data normalize big.txt -o ./link.txt",
      "pkm-data normalize hard.txt -o big.txt", "pkm-data normalize big.txt 2>> big.txt",
      "pkm-data dedup big.txt --report big.txt", "pkm-data filter big.txt --min-words 1 --rejected hard.txt",
      "pkm-data dedup --against big.txt d/a.txt -o big.txt",
      "pkm-data dedup --seen big.txt d/a.txt -o big.txt",
      "pkm-data count-words --merge big.txt -o big.txt", "pkm-data decode --format tokens big.txt -o big.txt",
      "pkm-data learn-bpe --counts big.txt -o big.txt",
      "pkm-data normalize big.txt --summary big.txt > out", "pkm-data normalize d/a.txt big.txt -o big.txt",
    ]
    for script in scripts {
      let result = try shell(script)
      #expect(result.status == 64, "\(script): \(result.errors)")
      #expect(try scratch.text("big.txt").hasPrefix("text\n"), "\(script)")
      #expect(!script.contains("2>>") || result.errors == "")
      if !script.contains("2>>") {
        #expect(result.errors.contains("input"))
      }
      try scratch.write("d/a.txt", "a\n")
    }
  }

  /// What is read before the documents, and the files of a dataset, would be lost as the documents would.
  @Test func noOutputReplacesAFileThatIsReadForAnotherPurpose() throws {
    let made = try shell(
      """
      pkm-data learn-bpe --quiet --merges 3 d/a.txt -o bpe.json
      pkm-data encode --quiet --tokenizer bpe.json d/a.txt -o data
      echo 'a > b;' > rules; echo spam > list; mkdir links; ln -s ../bpe.json links/bpe
      printf 'inputs: d\noutput: out\nstages: [{learn-bpe: {merges: 3}}, encode]\n' > recipe.yaml
      """)
    #expect(made.status == 0, "\(made.errors)")
    let names = ["bpe.json", "rules", "list", "recipe.yaml", "data/index.json"]
    let before = try names.map(scratch.text)
    let scripts = [
      "pkm-data encode --tokenizer bpe.json d/a.txt -o bpe.json",
      "pkm-data encode --tokenizer bpe.json d/a.txt --summary links/bpe",
      "pkm-data encode --tokenizer bpe.json d/a.txt >> bpe.json",
      "pkm-data learn-bpe --extend bpe.json --merges 4 d/a.txt -o ./bpe.json",
      "pkm-data convert-tokenizer bpe.json --summary bpe.json",
      "pkm-data normalize --transform @rules d/a.txt -o rules",
      "pkm-data filter --blocklist list d/a.txt --rejected list",
      "pkm-data run recipe.yaml --summary recipe.yaml",
      "pkm-data run recipe.yaml --summary \"$PWD/recipe.yaml\"",
      "pkm-data verify data --summary data/index.json", "pkm-data inspect data --summary data/index.json",
      "pkm-data decode data -o data/text", "pkm-data shard data -o new --summary data/index.json",
      "pkm-train train --config recipe.yaml --data data -o run --summary recipe.yaml",
    ]
    for script in scripts {
      let result = try shell(script)
      #expect(result.status == 64, "\(script): \(result.errors)")
      #expect(try names.map(scratch.text) == before, "\(script)")
    }
    #expect(!scratch.names.contains("new") && !scratch.names.contains("run"))
  }

  @Test func aBrokenLinkStandsForItsTarget() throws {
    let result = try shell("ln -s new link; pkm-data normalize --quiet d/a.txt -o new --summary link")
    #expect(result.status == 64 && result.errors.contains("--output and --summary are the same file"))
    #expect(try shell("pkm-data normalize --quiet d/a.txt -o link; test -L link && cat new").text == "a\n")
  }

  @Test func twoStandardOutputsAreCalledByTheirNames() throws {
    for (script, name) in [
      ("pkm-data normalize d/a.txt --summary -", "--summary"),
      ("pkm-data dedup d/a.txt --report -", "--report"),
    ] {
      let result = try shell(script)
      #expect(result.status == 64 && result.text == "")
      #expect(
        result.errors == "pkm-data: error: standard output and \(name) are the same file. "
          + "Give each output its own name\n")
    }
  }

  @Test func whatCannotBeCreatedHasTheNameThatWasGiven() throws {
    let name = String(repeating: "n", count: 256)
    let long = try shell("pkm-data normalize d/a.txt -o \(name)")
    #expect(long.status == 74 && long.errors.contains("\(name): the name is longer than"))
    let missing = try shell("pkm-data normalize d/a.txt -o /proc/nothing")
    #expect(
      missing.status == 74 && missing.errors.contains("/proc/nothing: cannot create"), "\(missing.errors)")
  }

  @Test func twoOutputsOfACommandAreTwoFiles() throws {
    let scripts = [
      "pkm-data normalize d/a.txt -o out --summary out", "pkm-data normalize d/a.txt -o out --summary ./out",
      "pkm-data dedup d/a.txt -o out --report out",
      "pkm-data filter d/a.txt --min-words 1 -o out --rejected out",
      "pkm-data dedup d/a.txt --report out --summary out", "pkm-data normalize d/a.txt --summary out > out",
      "pkm-data learn-bpe d/a.txt -o bpe.json --summary bpe.json",
      "pkm-data count-words d/a.txt -o out --summary \"$PWD/out\"",
    ]
    for script in scripts {
      let result = try shell(script)
      #expect(
        result.status == 64 && result.errors.contains("are the same file"), "\(script): \(result.errors)")
    }
    #expect(try shell("pkm-data normalize d/a.txt -o /dev/null --summary /dev/null").status == 0)
  }

  @Test func aDirectoryIsReadWithoutPipesCyclesAndDatasets() throws {
    let made = try shell(
      """
      mkfifo d/pipe && ln -s . d/one && ln -s . d/two && ln -s ../d d/three && mkdir d/sub && ln -s .. d/sub/up
      echo b > d/sub/b.txt
      pkm-data learn-bpe --quiet --merges 3 d/a.txt -o bpe.json
      pkm-data encode --quiet --tokenizer bpe.json d/a.txt -o d/data/
      """)
    #expect(made.status == 0, "\(made.errors)")
    for input in ["d", "'d/**'", "'d*'", "d/"] {
      let result = try shell("timeout 20 pkm-data normalize \(input) --summary s.json")
      #expect(result.status == 0, "\(input): \(result.errors)")
      #expect(result.text == "a\nb\n", "\(input)")
    }
    try FileManager.default.removeItem(at: scratch.url.appendingPathComponent("s.json"))
    let counted = try shell("pkm-data normalize d --summary s.json -o out.txt")
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counted.status == 0 && counts["inputs_skipped_special"] as? Int == 1)
    #expect(counts["inputs_skipped_made"] as? Int == 1)
    #expect(counted.errors.contains("d/pipe: neither a file nor a directory, skipped"))
    // The user's own word: a pipe that is named is read, a dataset that is named is refused.
    #expect(try shell("echo c > d/pipe & pkm-data normalize d/pipe").text == "c\n")
    let dataset = try shell("pkm-data normalize d/data")
    #expect(dataset.status == 64 && dataset.errors.contains("is a dataset of token ids"))
    // An evaluation set has the same listing.
    try scratch.write("other.txt", "other\n")
    let against = try shell("timeout 20 pkm-data dedup --against d --ngram 1 other.txt -o out.txt")
    #expect(against.status == 0 && against.errors.contains("d/pipe"), "\(against.errors)")
  }

  @Test func manyLinksBetweenDirectoriesAreNotManyPaths() throws {
    let made = try shell(
      """
      for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir -p w/$i; echo $i > w/$i/f.txt; done
      for i in w/*; do for j in w/*; do ln -s ../../$j $i/to-${j#w/}; done; done
      timeout 20 pkm-data normalize w | sort -n | tr '\\n' ' '
      """)
    #expect(made.text == "1 2 3 4 5 6 7 8 9 10 11 12 ", "\(made.errors)")
  }

  @Test func namesThatLookTemporaryAreNotTouched() throws {
    let made = try shell(
      """
      echo precious > precious
      for name in .out.txt.tmp-file .out.txt.tmp-directory .out.txt.dedup .out.txt.dedup.spool-0 .s.json.tmp-file; do
        ln -s precious $name
      done
      mkdir t && ln -s ../precious t/.pkm-1.tmp-directory && mkdir -p t/.pkm-2.tmp-directory && echo x > t/.pkm-2.tmp-directory/f
      seq 100 > in.txt
      """)
    #expect(made.status == 0)
    for method in ["exact", "paragraph", "substring"] {
      let result = try shell(
        "cat in.txt | TMPDIR=t pkm-data dedup --method \(method) --memory 64M -o out.txt --summary s.json")
      // The state of methods that can go on lies beside the output, where the link is in the way.
      #expect(result.status == (method == "substring" ? 64 : 0), "\(method): \(result.errors)")
    }
    #expect(try shell("cat in.txt | TMPDIR=t pkm-data dedup --method substring > o2.txt").status == 0)
    #expect(try scratch.text("precious") == "precious\n" && scratch.text("t/.pkm-2.tmp-directory/f") == "x\n")
    #expect(try scratch.text("out.txt").hasPrefix("1\n"))
    #expect(try shell("ls -A t").text == ".pkm-1.tmp-directory\n.pkm-2.tmp-directory\n")
    // A directory of somebody else's files with the name of our state.
    try FileManager.default.removeItem(atPath: scratch.path(".out.txt.dedup"))
    try scratch.write(".out.txt.dedup/precious", "precious")
    let refused = try shell("pkm-data dedup --method substring in.txt -o out.txt")
    #expect(refused.status == 64 && refused.errors.contains("holds other files"), "\(refused.errors)")
    #expect(try scratch.text(".out.txt.dedup/precious") == "precious")
  }

  /// Where locks do not hold, two writers must still not share a temporary name.
  @Test func theRenameDecidesWhoWins() throws {
    let result = try shell(
      """
      umask 027
      yes one | head -n 200000 > one; yes two | head -n 200000 > two
      for i in 1 2 3 4 5 6; do
        pkm-data normalize --quiet one -o out & first=$!
        pkm-data normalize --quiet two -o out & second=$!
        wait $first; a=$?; wait $second; b=$?
        cmp -s out one || cmp -s out two || echo mixed
        case $a$b in 00 | 01 | 10) ;; *) echo "status $a $b" ;; esac
      done
      ls -A | tr '\\n' ' '; stat -c %a out
      """)
    #expect(result.text == "d one out two 640\n", "\(result.text)\n\(result.errors)")
  }

  /// Lustre without -o flock, some network file systems and overlays.
  @Test func aFileSystemWithoutLocksIsSaid() throws {
    try scratch.write(
      "locks.c",
      "#include <errno.h>\nint flock(int a, int b) { (void)a; (void)b; if (ERROR == 0) return 0; errno = ERROR; return -1; }\n"
    )
    let made = try shell(
      """
      cc -shared -fPIC -DERROR=ENOLCK -o none.so locks.c && cc -shared -fPIC -DERROR=0 -o yes.so locks.c
      yes one | head -n 100000 > one; yes two | head -n 100000 > two
      """)
    if made.status != 0 { return }
    let once = try shell("LD_PRELOAD=$PWD/none.so pkm-data normalize one -o out --summary s.json")
    #expect(once.status == 0 && once.errors.contains("the file system has no locks (No locks available)"))
    #expect(once.errors.split(separator: "warning").count == 2, "\(once.errors)")
    // Locks that never hold: the two writers share no name.
    for library in ["none", "yes"] {
      let both = try shell(
        """
        export LD_PRELOAD=$PWD/\(library).so
        pkm-data normalize --quiet one -o both & pkm-data normalize --quiet two -o both & wait
        unset LD_PRELOAD; cmp -s both one || cmp -s both two || echo mixed; rm both; ls -A | grep tmp-
        """)
      #expect(both.text == "", "\(both.text)\(both.errors)")
    }
    try scratch.write("r.yaml", "inputs: d\noutput: o\nstages: [learn-bpe: {merges: 1}, encode]\n")
    let run = try shell("LD_PRELOAD=$PWD/none.so pkm-data run r.yaml")
    #expect(run.status == 74 && run.errors.contains("-o flock"), "\(run.errors)")
  }
}
