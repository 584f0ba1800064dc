import Architectures
import Foundation
import Imaging
import Report
import Testing

@testable import Runner

@Suite struct MaskRunsTests {
  @Test func theExampleOfItsDescription() {
    let mask = Mask(width: 4, height: 2, pixels: [0, 0, 1, 1, 0, 1, 1, 1])
    #expect(MaskRuns.encode(mask) == "2 2 1 3")
    #expect(MaskRuns.decode("2 2 1 3", height: 2, width: 4) == mask)
  }

  @Test func everyMaskComesBack() {
    for seed in UInt64(1)...50 {
      var state = seed
      let (width, height) = (1 + Int(seed % 13), 1 + Int(seed % 7))
      let mask = Mask(
        width: width, height: height,
        pixels: (0..<width * height).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1
          return UInt8(state >> 63)
        })
      #expect(MaskRuns.decode(MaskRuns.encode(mask), height: height, width: width) == mask)
    }
  }

  @Test(arguments: ["", "3", "9", "-1 9", "2 2 1 4", "2 two", "99999999999999999999"])
  func wrongRunsAreNoMask(runs: String) { #expect(MaskRuns.decode(runs, height: 2, width: 4) == nil) }

  @Test func tablesComeBack() {
    let masks: [(image: String, mask: Mask)] = [
      ("a", Mask(width: 2, height: 1, pixels: [1, 1])), ("b, \"c\"", Mask(width: 1, height: 3, pixels: [0, 1, 0])),
    ]
    let table = MaskRuns.table(masks)
    #expect(table == "image,height,width,runs\na,1,2,0 2\n\"b, \"\"c\"\"\",3,1,1 1 1\n")
    #expect(MaskRuns.masks(inTable: table) == Dictionary(uniqueKeysWithValues: masks.map { ($0.image, $0.mask) }))
    #expect(MaskRuns.masks(inTable: table + "cut,3,4,5 2").count == 2)
  }
}

@Suite struct PatternTests {
  @Test(arguments: [
    ("U-Net+ (T.C.)", "u-net+*", true), ("U-Net++", "U-Net+", false), ("U-Net++", "*++", true), ("U-Net", "?-Net", true), ("U-Net", "*-*t", true),
    ("U-Net", "", false), ("", "*", true), ("aaab", "*a?b", true), ("aaac", "*a?b", false),
  ])
  func stars(text: String, pattern: String, expected: Bool) { #expect(matches(text, pattern: pattern) == expected) }
}

@Suite struct TrialLogTests {
  @Test func aLineCutOffByAKillLosesNothingElse() throws {
    let folder = try TemporaryFolder()
    let log = TrialLog(path: "\(folder.path)/log.jsonl")
    try log.append(.epoch(phase: "train", epoch: 1, trainLoss: 1, validationLoss: 2, seconds: 10))
    let whole = try Data(contentsOf: URL(fileURLWithPath: log.path))
    try (whole + whole.prefix(20)).write(to: URL(fileURLWithPath: log.path))
    try log.append(.epoch(phase: "train", epoch: 2, trainLoss: 1, validationLoss: 2, seconds: 5))
    try log.append(.epoch(phase: "train", epoch: 2, trainLoss: 1, validationLoss: 2, seconds: 7))
    let lines = try log.lines()
    #expect(lines.count == 3)
    #expect(lines.epochsDone == 2)
    #expect(lines.trainingSeconds == 17)
  }

  /// The epoch in which a run was interrupted took what both runs spent on it.
  @Test func anInterruptionsTimeCounts() throws {
    let folder = try TemporaryFolder()
    let log = TrialLog(path: "\(folder.path)/log.jsonl")
    for event in [LogEvent.interrupted(epoch: 0, seconds: nil), .interrupted(epoch: 0, seconds: 3)] { try log.append(event) }
    try log.append(.resumed(epoch: 0, batch: 6))
    try log.append(.epoch(phase: "train", epoch: 1, trainLoss: 1, validationLoss: 2, seconds: 4))
    #expect(try log.lines().trainingSeconds == 7)
  }
}

@Suite struct ArchitectureNamesTests {
  /// Two lists that must name the same: the spec's, which knows no network, and the networks'.
  @Test func everyArchitectureOfTheSpecIsThere() { #expect(Runner.architectures == architectures.map { $0.name }) }
}
