import Foundation
import TestSupport
import Testing

/// What can be tried of the packages without making them; `pipelines/try_packages.sh` tries the real ones on a bare Debian.
@Suite(.timeLimit(.minutes(60))) struct PackageScriptTests {
  @Test func scriptsAreWellFormedAndSayHowToUseThem() throws {
    let scratch = try Scratch()
    for script in ["install.sh", "package.sh", "quickstart.sh", "try_packages.sh"] {
      let parsed = try Subprocess.run("/bin/bash", ["-n", Repository.path("pipelines/\(script)")])
      #expect(parsed.status == 0, "\(script): \(parsed.errors)")
    }
    let package = Repository.path("pipelines/package.sh")
    let help = try runShell("bash '\(package)' --help", in: scratch.url)
    #expect(help.status == 0 && help.text.contains("--prefix DIR"))
    for arguments in ["--bogus", "--output"] {
      let refused = try runShell("bash '\(package)' \(arguments)", in: scratch.url)
      #expect(refused.status == 64 && refused.errors.contains(arguments))
    }
  }

  @Test(.peers) func pipPutsTheCommandsAndTheModuleOfAWheelInTheirPlaces() throws {
    let scratch = try Scratch()
    try scratch.write("pkm/bin/pkm-data", "#!/bin/sh\necho works\n")
    try scratch.write("pkm/lib/pkm/libexample.so.1", "a library\n")
    try scratch.write("pkm/share/pkm/pkm_dataset.py", "answer = 42\n")
    let result = try runShell(
      """
      set -e
      "$PKM_PEERS_PYTHON" '\(Repository.path("pipelines/wheel.py"))' pkm 1.2.3 1700000000 .
      cp pkm-1.2.3-*.whl first; "$PKM_PEERS_PYTHON" '\(Repository.path("pipelines/wheel.py"))' pkm 1.2.3 1700000000 .
      cmp first pkm-1.2.3-*.whl
      "$PKM_PEERS_PYTHON" -m pip install --quiet --no-deps --no-index --prefix there pkm-1.2.3-*.whl
      there/bin/pkm-data
      cat there/lib/pkm/libexample.so.1
      cd there/lib/python*/site-packages
      "$PKM_PEERS_PYTHON" -c 'import pkm_dataset; print(pkm_dataset.answer)'
      """, in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.text == "works\na library\n42\n")
  }
}
