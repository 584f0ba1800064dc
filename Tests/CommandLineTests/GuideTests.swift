import Foundation
import Testing

/// The README's guides, their commands taken from the page itself, so that what is printed there works.
@Suite(.enabled(if: Program.isBuilt, "the program is not built")) struct GuideTests {
  /// The first block of shell commands under a heading.
  private static func commands(under heading: String) throws -> String {
    let page = try String(contentsOfFile: "\(Program.package)/README.md", encoding: .utf8)
    let section = try #require(page.components(separatedBy: "\n## ").first { $0.hasPrefix(heading + "\n") }, "no section \(heading)")
    let block = try #require(section.components(separatedBy: "```sh\n").dropFirst().first)
    return try #require(block.components(separatedBy: "```").first)
  }

  /// “Compare two networks on my data”, but for building and with one epoch.
  @Test func twoNetworksAreComparedOnAFolder() throws {
    let place = try Workplace(), text = try Self.commands(under: "Compare two networks on my data")
    let yaml = try #require(text.components(separatedBy: "<<'END'\n").last?.components(separatedBy: "\nEND\n").first)
    #expect(yaml.split(separator: "\n").count == 15, "the issue promises fifteen lines")
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("swift build") }.map { line in
      line.hasPrefix(".build/debug/runner my-cells.yaml") ? ".build/debug/runner my-cells.yaml --set train.epochs=1" : String(line)
    }
    let script = "set -e\n" + lines.joined(separator: "\n").replacing(".build/debug/runner", with: "\"$RUNNER\"")
    let outcome = try Program.run(
      ["-c", script], program: "/bin/sh", in: place.path, environment: ["RUNNER": Program.path, "XDG_CACHE_HOME": place.path, "HOME": place.path])
    #expect(outcome.code == 0, "\(outcome)")
    let report = try String(contentsOfFile: "\(place.path)/results/my-cells/report.md", encoding: .utf8)
    // What “Read the report” speaks of, in its order.
    let guide = try String(contentsOfFile: "\(Program.package)/README.md", encoding: .utf8).components(separatedBy: "\n## ").first { $0.hasPrefix("Read the report\n") } ?? ""
    let headings = guide.matches(of: /\*\*([^*]+)\*\*/).map { String($0.1) }, sections = report.matches(of: /\n## ([^\n]+)/).map { String($0.1) }
    #expect(headings.count >= 10 && headings.allSatisfy(sections.contains), "\(headings) | \(sections)")
    #expect(headings.filter(sections.contains) == sections.filter(headings.contains), "another order: \(sections)")
    #expect(report.contains("U-Net+ segments better than U-Net"))
    #expect(place.names("found").count == 4 * 3 + 2)
    #expect(try String(contentsOfFile: "\(place.path)/models/README.md", encoding: .utf8).contains("the first of seeds 1, 2"))
  }
}
