import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct SignalCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Waits, in a script, until the command `$run` has installed its handlers of signals, or has ended.
  private static let untilReady = """
    until grep -q pkm /proc/$run/comm && grep -q '^SigCgt:.*[2367abef]$' /proc/$run/status; do
      kill -0 $run || break
      sleep 0.02
    done
    """

  /// The most milliseconds in which a command ends on a signal: much less than what it waits for, and much more than it
  /// takes on a busy machine.
  private static let atOnce = 8000

  /// A command that waits for its input, its output or a pipe ends at once on each signal.
  @Test(.long, arguments: ["HUP", "INT", "TERM"]) func everySignalEndsTheCommandAtOnce(signal: String) throws
  {
    let commands = [
      "pkm-data normalize < wait", "pkm-data normalize -o out wait",
      "pkm-data dedup --method minhash -o out < wait",
      "pkm-data run wait", "pkm-data normalize big.txt > full", "pkm-data encode --tokenizer wait big.txt",
      "pkm-data learn-bpe -o out.json wait",
    ]
    for command in commands {
      let result = try runShell(
        """
        rm -f wait full; mkfifo wait full; yes 'a text of some length' | head -c 3000000 > big.txt
        sleep 20 3<> wait & s1=$!; sleep 20 4<> full & s2=$!
        (trap - INT; exec \(command)) & run=$!
        \(Self.untilReady)
        begin=$(date +%s%N); kill -\(signal) $run; wait $run; status=$?
        echo "$status $(( ($(date +%s%N) - begin) / 1000000 ))"
        kill -KILL $s1 $s2
        """, in: scratch.url)
      let words = result.text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
      #expect(words.first == 130, "\(command): \(result.text)\(result.errors)")
      #expect((words.last ?? 9999) < Self.atOnce, "\(command): \(result.text)")
      let left = scratch.names.filter { $0.hasPrefix(".") || $0.hasPrefix("out") }
      #expect(left == [], "\(command)")
    }
  }

  /// A document that one call works on for long.
  @Test(.long) func aBenchOfOneLongDocumentEndsAtOnce() throws {
    try scratch.write("in.txt", String(repeating: "0", count: 30_000_000))
    let result = try runShell(
      """
      (trap - INT; exec pkm-data bench --runs 1000 --documents file --merges 10 in.txt) & run=$!
      \(Self.untilReady)
      sleep 1
      begin=$(date +%s%N); kill -INT $run; wait $run; status=$?
      echo "$status $(( ($(date +%s%N) - begin) / 1000000 ))"
      """, in: scratch.url)
    let words = result.text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
    #expect(words.first == 130, "\(result.text)\(result.errors)")
    #expect((words.last ?? 9999) < Self.atOnce, "\(result.text)")
  }

  /// One long call, in which a command looks for no signal: the end does not wait for it.
  @Test(
    .long,
    arguments: [
      "count-words one.txt -o out", "learn-bpe one.txt -o out.json",
      "normalize --documents file one.txt -o out",
      "normalize --documents file --tokenize one.txt -o out", "dedup --documents file one.txt -o out",
      "filter --rules gopher,c4 --documents file one.txt -o out",
      "dedup --method minhash --documents file words.txt -o out",
      "dedup --method minhash --verify --documents file words.txt -o out",
      "dedup --method substring words.txt -o out", "dedup --method paragraph words.txt -o out",
      "encode --tokenizer bpe.json --documents file one.txt -o out.ids",
      "encode --tokenizer bpe.json --documents file words.txt -o out/",
      "inspect --tokenizer bpe.json words.txt",
    ]) func aLongCallEndsAtOnce(command: String) throws
  {
    let result = try runShell(
      """
      head -c 60000000 /dev/zero | tr '\\0' a > one.txt
      seq 1 2000000 | tr '\\n' ' ' > words.txt
      echo 'one two three' | pkm-data learn-bpe --quiet --merges 3 -o bpe.json
      # The best of three: a busy machine may be late by itself.
      for try in 1 2 3; do
        rm -rf out out.*
        (trap - INT; exec pkm-data \(command) > /dev/null) & run=$!
        sleep 0.5
        begin=$(date +%s%N); kill -INT $run; wait $run; status=$?
        echo "$status $(( ($(date +%s%N) - begin) / 1000000 ))"
      done
      """, in: scratch.url)
    let words = result.text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
    let (statuses, times) = (
      stride(from: 0, to: words.count, by: 2).map { words[$0] },
      stride(from: 1, to: words.count, by: 2).map { words[$0] }
    )
    // One that is so quick that the signal comes too late has ended well.
    #expect(statuses.count == 3 && statuses.allSatisfy { $0 == 130 || $0 == 0 }, "\(command): \(result.text)")
    let ended = zip(statuses, times).filter { $0.0 == 130 }.map(\.1)
    #expect((ended.min() ?? 0) < 700, "\(command): \(result.text)")
    if statuses.last != 130 { return }
    let left = scratch.names.filter { $0.hasPrefix("out") || $0.hasPrefix(".") && !$0.hasSuffix(".dedup") }
    #expect(left == [], "\(command)")
  }

  /// Swift's runtime takes it for a crash, whose report the process would survive.
  @Test func quitEndsTheProcess() throws {
    let result = try runShell(
      """
      mkfifo wait; sleep 20 3<> wait & s=$!
      (trap - QUIT; exec pkm-data normalize < wait) & run=$!
      \(Self.untilReady)
      kill -QUIT $run; wait $run; echo $?; kill -KILL $s
      """, in: scratch.url)
    #expect(result.text == "131\n", "\(result.errors)")
    #expect(!result.errors.contains("Program crashed"))
  }

  /// Pages and tables that `print` holds back until the end.
  @Test func aFullDiskUnderPrintedTextIsAnError() throws {
    for command in [
      "pkm-data --help", "pkm-data help dedup", "pkm-data filter --list-rules", "pkm-train --version",
    ] {
      let full = try runShell("\(command) > /dev/full", in: scratch.url)
      #expect(full.status == 74 && full.errors.contains("standard output"), "\(command): \(full.errors)")
      let closed = try runShell("\(command) | true; echo ${PIPESTATUS[0]}", in: scratch.url)
      #expect(closed.text == "0\n" && closed.errors == "", "\(command): \(closed.errors)")
    }
  }

  @Test func aHangUpIsSurvivedUnderNohup() throws {
    let result = try runShell(
      """
      mkfifo pipe
      nohup pkm-data normalize pipe > out.txt 2> err.txt < /dev/null & run=$!
      \(Self.untilReady)
      kill -HUP $run; echo text > pipe; wait $run; cat out.txt
      """, in: scratch.url)
    #expect(result.text == "text\n", "\(result.errors)")
  }

  @Test func limitsAndPlacesThatAreMissingAreSaid() throws {
    let cases = [
      (
        "yes text | head -n 200000 > in.txt; ulimit -f 100; pkm-data normalize in.txt -o out.txt", 74,
        "ulimit -f"
      ),
      ("ulimit -f 100; pkm-data normalize in.txt > out2.txt", 74, "ulimit -f"),
      (
        "TMPDIR=/no/such pkm-data dedup --method substring < in.txt", 74,
        "Set TMPDIR to a directory that exists"
      ),
      ("TMPDIR=in.txt pkm-data dedup --method substring < in.txt", 74, "is no directory"),
    ]
    for (script, status, word) in cases {
      let result = try runShell(script, in: scratch.url)
      #expect(Int(result.status) == status && result.errors.contains(word), "\(script): \(result.errors)")
    }
    #expect(scratch.names.allSatisfy { !$0.hasPrefix(".") && $0 != "out.txt" })
  }

  @Test func aScriptDoesNotGoWhereCDPATHLeads() throws {
    for script in ["pipelines/quickstart.sh", "Tests/run.sh"] {
      let text = try String(contentsOfFile: Repository.path(script), encoding: .utf8)
      let unset = try #require(text.range(of: "unset CDPATH")), cd = try #require(text.range(of: "\ncd "))
      #expect(unset.lowerBound < cd.lowerBound)
    }
    let installs = [
      ("6.3.1", "there is no sudo here"), ("6.0", "This is Swift version 6.0, which is too old"),
      ("", "too old"),
    ]
    for (version, words) in installs {
      let result = try runShell(
        """
        rm -rf bin; mkdir bin; for t in bash cat grep sed; do ln -s $(command -v $t) bin/; done; ln -s /bin/true bin/apt-get
        printf '#!/bin/sh\\nexit 1\\n' > bin/dpkg-query; printf '#!/bin/sh\\necho 1000\\n' > bin/id
        printf '#!/bin/sh\\necho "Swift version \(version) (swift)"\\n' > bin/swift; chmod +x bin/*
        PATH=$PWD/bin bash \(Repository.path("pipelines/install.sh"))
        """, in: scratch.url)
      #expect(result.status == 1 && result.errors.contains(words), "\(version): \(result.errors)")
    }
  }

  @Test func nothingOfOthersReachesTheTerminal() throws {
    let name = "a\u{1b}]0;x\u{7}\u{9b}31m"
    try scratch.write(name + ".txt", "text\n")
    try scratch.write("\(name).jsonl", "{broken\n")
    for arguments in [
      ["normalize", name], ["normalize", name + ".jsonl"], ["inspect", name + ".txt"],
      ["encode", "--tokenizer", name],
      ["verify", name], ["run", name], ["normalize", "--form", name], ["inspect", name + ".jsonl"],
    ] {
      let result = try Tool.data.run(arguments, in: scratch.url)
      let shown = result.errors + (arguments[0] == "inspect" ? result.text : "")
      let acting = shown.unicodeScalars.filter {
        $0.properties.generalCategory == .control && $0 != "\n" && $0 != "\t"
      }
      #expect(acting.isEmpty, "\(arguments): \(shown.debugDescription)")
    }
  }
}
