import Diagnostics
import Foundation
import Imaging
import Testing

@testable import Runner

/// What `predict` writes, whatever kind of file the image is in and whichever option changes it.
extension Runs { @Suite struct PredictOutputTests {
  typealias Trained = PredictTests.Trained

  /// Columns of `objects.csv` by name, an object a row.
  private static func objects(_ trained: Trained) throws -> [[String: String]] {
    let lines = try trained.lines("objects.csv").map { $0.split(separator: ",").map(String.init) }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }

  /// One image as grey of 8 and 16 bits and as RGB: the same mask; intensities are in the file's own units.
  @Test func kindsOfFilesDoNotMatter() async throws {
    let trained = try await Trained(), name = try #require(trained.masks.keys.sorted().first), folder = "\(trained.folder)/kinds"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let image = try PNG.read(path: "\(trained.images)/\(name).png"), grey = image.labels
    try #require(image.bitDepth == 8)
    try PNG.write(image.gray, to: "\(folder)/a.png")
    try PNG.write(grey.map { $0 * 257 }, to: "\(folder)/b.png")
    try PNG.write(grey.map { RGB(UInt8($0), UInt8($0), UInt8($0)) }, to: "\(folder)/c.png")
    #expect(await trained.predict([folder]) == .done)
    for kind in ["a", "b", "c"] { #expect(try PNG.read(path: "\(trained.out)/\(kind)_mask.png").mask == trained.masks[name], "\(kind)") }
    let rows = try Self.objects(trained)
    func means(_ kind: String) -> [Double] { rows.filter { $0["image"] == kind }.compactMap { $0["mean_intensity"].flatMap(Double.init) } }
    #expect(means("a").count > 0 && means("a") == means("c"))
    for (narrow, wide) in zip(means("a"), means("b")) { #expect(abs(wide / narrow - 257) < 0.01) }
  }

  /// Lengths scale with the pixel's side, areas with its square; what has no unit stays.
  @Test func micrometres() async throws {
    let trained = try await Trained()
    #expect(await trained.predict() == .done)
    let pixels = try Self.objects(trained), counts = try trained.lines("counts.csv")
    #expect(await trained.predict { $0.pixelSize = 0.5 } == .done)
    let scaled = try Self.objects(trained)
    #expect(pixels.count == scaled.count && pixels.count > 0 && pixels[0]["unit"] == "px" && scaled[0]["unit"] == "um")
    let power = ["centroid_x": 1, "centroid_y": 1, "box_x": 1, "box_width": 1, "perimeter": 1, "area": 2, "eccentricity": 0, "solidity": 0, "mean_intensity": 0, "integrated_intensity": 0]
    for (before, after) in zip(pixels, scaled) {
      for (column, power) in power {
        let (a, b) = (try #require(before[column].flatMap(Double.init)), try #require(after[column].flatMap(Double.init)))
        #expect(abs(b - a * pow(0.5, Double(power))) <= 1e-6 * max(1, abs(a)), "\(column): \(a), \(b)")
      }
    }
    #expect(try trained.lines("counts.csv").count == counts.count && counts[0] == "image,height,width,objects,foreground,mean_area,unit")
  }

  /// The watershed (`WatershedTests`) may divide objects; it neither takes pixels away nor joins objects. Off by default.
  @Test func splittingKeepsTheMask() async throws {
    let trained = try await Trained()
    #expect(await trained.predict { $0.splitSpacing = 2 } == .done)
    var before = 0, after = 0
    for (name, mask) in trained.masks {
      let labels = try PNG.read(path: "\(trained.out)/\(name)_labels.png").labels, regions = mask.connectedRegions(connectivity: 8)
      #expect(labels.map { $0 == 0 ? UInt8(0) : 1 } == mask)
      #expect(try PNG.read(path: "\(trained.out)/\(name)_mask.png").mask == mask)
      var home: [Int32: Int32] = [:]
      for (label, region) in zip(labels.pixels, regions.labels.pixels) where label != 0 { #expect(home.updateValue(region, forKey: label) ?? region == region) }
      before += regions.count
      after += home.count
    }
    #expect(after >= before)
    #expect(try trained.lines("objects.csv").count == after + 1)
  }

  @Test func progressSaysHowFastAndHowLong() async throws {
    let trained = try await Trained(), transcript = Transcript()
    #expect(await trained.predict(transcript: transcript) { $0.threads = 1 } == .done)
    let lines = transcript.output.split(separator: "\n")
    #expect(lines.count == 3 && lines[0].hasPrefix("1 of 2 images, ") && lines[0].hasSuffix(" left") && lines[0].contains(" a second, "), "\(lines)")
    #expect(lines[1].hasPrefix("2 of 2 images, ") && lines[2] == "\(trained.out): 2 of 2 images")
    let terminal = Transcript(isLive: true)
    #expect(await trained.predict(transcript: terminal) == .done)
    #expect(terminal.output.contains("\r\u{1B}[K2 of 2 images"))
  }
}}
