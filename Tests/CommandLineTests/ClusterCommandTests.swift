import Foundation
import Testing

/// `--executor slurm` at a terminal, with commands that stand in for Slurm's.
@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct ClusterCommandTests {
  /// A terminal sends Ctrl-C to all that runs in it. The job that `sbatch` is about to submit must be known and cancelled, and no further one submitted.
  @Test func interruptedWhileAJobIsSubmitted() throws {
    let place = try Workplace()
    let commands = [
      "sbatch": "cat > input; touch begun; sleep 1; echo 42",
      "squeue": "[ -e cancelled ] || echo '42|0|RUNNING|node|None'",
      "scancel": "echo \"$@\" > cancelled",
      "sacct": "exit 1",
    ]
    for (name, text) in commands {
      let file = try place.write(Data("#!/bin/sh\n\(text)\n".utf8), to: "bin/\(name)")
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
    }
    // -m: the program leads a process group, as it does at a terminal.
    let script = """
      set -m
      "\(Program.path)" run "\(Program.package)/experiments/quickstart.yaml" --out out --executor slurm &
      until [ -e begun ]; do kill -0 $! || exit 99; sleep 0.05; done
      kill -INT -- -$!
      wait $!
      """
    let path = "\(place.path)/bin:/usr/bin:/bin"
    let outcome = try Program.run(["-c", script], program: "/bin/bash", in: place.path, environment: ["PATH": path, "XDG_CACHE_HOME": place.path])
    #expect(outcome.code == 130, "\(outcome)")
    #expect(try String(contentsOfFile: "\(place.path)/cancelled", encoding: .utf8) == "42\n", "\(outcome)")
  }
}
