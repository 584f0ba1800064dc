import Imaging
import Testing

/// What scikit-image made of small images (`Tests/Oracles/imaging_oracles.py`).
enum Skimage {
  struct Cases: Decodable {
    var inputs: [String: Input]
    var clahe, tv, pipeline, gaussian, average, median, regions, holes, objects, otsu: [Case]
  }

  struct Input: Decodable { var height, width, offset: Int }

  struct Case: Decodable, CustomTestStringConvertible {
    var input: String
    var offset: Int
    var clip, weight, sigma, threshold: Double?
    var tiles, iterations, connectivity, count, size, radius: Int?
    var testDescription: String {
      let fields: [(String, Any?)] = [
        ("clip", clip), ("weight", weight), ("tiles", tiles), ("iterations", iterations), ("connectivity", connectivity), ("size", size),
        ("sigma", sigma), ("radius", radius),
      ]
      return fields.reduce(input) { text, field in field.1.map { "\(text) \(field.0) \($0)" } ?? text }
    }

    /// The input's pixels, 0…255 (masks 0 and 1).
    var mask: Mask {
      let input = cases.inputs[input]!
      let pixels = Array(Skimage.pixels[input.offset..<(input.offset + input.width * input.height)])
      return Mask(width: input.width, height: input.height, pixels: pixels)
    }
    var image: GrayImage { mask.map { Float($0) / 255 } }

    var expectedBytes: [UInt8] { Array(Skimage.pixels[offset..<(offset + mask.pixels.count)]) }
    var expectedFloats: [Float] {
      (0..<mask.pixels.count).map { i in
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(Skimage.pixels[offset + 4 * i + $1]) << (8 * $1) })
      }
    }
  }

  static let cases: Cases = Fixture.json("skimage/cases.json")
  static let pixels = Fixture.bytes("skimage/pixels.bin")
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  precondition(a.count == b.count)
  // A NaN must not hide: max would pass over it.
  return zip(a, b).reduce(0) { $1.0.isFinite && $1.1.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity }
}

@Suite struct SkimageTests {
  @Test("equalize_adapthist", arguments: Skimage.cases.clahe) func clahe(_ c: Skimage.Case) {
    let ours = c.image.equalizedAdaptively(clipLimit: c.clip!, tiles: c.tiles!)
    // A hundred times closer than the 1/255 that would do: the steps are the same, only the input is single precision.
    #expect(largestDifference(ours.pixels, c.expectedFloats) <= 1 / 25_500)
  }

  @Test("threshold_otsu", arguments: Skimage.cases.otsu) func otsu(_ c: Skimage.Case) {
    #expect(abs(Double(c.image.otsuThreshold) - c.threshold!) <= 1e-6)
  }

  @Test("denoise_tv_chambolle", arguments: Skimage.cases.tv) func totalVariation(_ c: Skimage.Case) {
    let ours = c.image.denoisedByTotalVariation(weight: c.weight!, maximumIterations: c.iterations!)
    #expect(largestDifference(ours.pixels, c.expectedFloats) <= 1e-5)
  }

  @Test("CLAHE, de-noising, rescaling", arguments: Skimage.cases.pipeline) func pipeline(_ c: Skimage.Case) {
    let ours = c.image.preprocessed(claheClip: c.clip!, claheTiles: c.tiles!, tvWeight: c.weight!, tvIterations: c.iterations!)
    #expect(largestDifference(ours.pixels, c.expectedFloats) <= 1e-4)
    #expect(ours.pixels.min() == 0 && ours.pixels.max() == 1)
  }

  @Test("measure.label", arguments: Skimage.cases.regions) func regions(_ c: Skimage.Case) {
    let ours = c.mask.connectedRegions(connectivity: c.connectivity!)
    #expect(ours.count == c.count && ours.labels.pixels == c.expectedBytes.map(Int32.init))
  }

  @Test("remove_small_holes", arguments: Skimage.cases.holes) func holes(_ c: Skimage.Case) {
    #expect(c.mask.fillingHoles(upTo: c.size!, connectivity: c.connectivity!).pixels == c.expectedBytes)
  }

  @Test("remove_small_objects", arguments: Skimage.cases.objects) func objects(_ c: Skimage.Case) {
    #expect(c.mask.droppingObjects(below: c.size!, connectivity: c.connectivity!).pixels == c.expectedBytes)
  }

  @Test("gaussian_filter", arguments: Skimage.cases.gaussian) func gaussian(_ c: Skimage.Case) {
    #expect(largestDifference(c.image.blurredGaussian(sigma: c.sigma!).pixels, c.expectedFloats) <= 1e-6)
  }

  @Test("uniform_filter", arguments: Skimage.cases.average) func average(_ c: Skimage.Case) {
    #expect(largestDifference(c.image.blurredAverage(radius: c.radius!).pixels, c.expectedFloats) <= 1e-6)
  }

  @Test("median_filter", arguments: Skimage.cases.median) func median(_ c: Skimage.Case) {
    #expect(c.image.blurredMedian(radius: c.radius!).pixels == c.expectedFloats)
  }

  @Test func nothingToDo() {
    let image = GrayImage(width: 3, height: 2, pixels: [0, 0.25, 0.5, 0.75, 1, 0.1])
    #expect(image.preprocessed(claheClip: 0, claheTiles: 8, tvWeight: 0, tvIterations: 200) == image)
    #expect(GrayImage(width: 0, height: 0, pixels: []).equalizedAdaptively().pixels.isEmpty)
  }
}
