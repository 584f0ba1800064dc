import Imaging
import TensorCore
import Testing

@Suite struct RunLengthTests {
  /// 3 high, 2 wide: pixels 2 and 3 stand in the first column, 4 on top of the second.
  @Test(arguments: [
    ([0, 1, 1, 0, 1, 0], "2 3"), ([1, 0, 0, 0, 1, 1], "1 1 3 1 6 1"), ([0, 0, 0, 0, 0, 0], ""), ([1, 1, 1, 1, 1, 1], "1 6"), ([0, 0, 0, 0, 0, 1], "6 1"),
  ] as [([UInt8], String)]) func runsGoDownTheColumns(_ pixels: [UInt8], _ runs: String) {
    #expect(RunLength.encode(Mask(width: 2, height: 3, pixels: pixels)) == runs)
  }

  /// Runs that are filled in again, and which no gap of a pixel at least parts, are the mask.
  @Test func runsAreTheMask() {
    var random = CounterRandom(seed: 5, purpose: .testing)
    for _ in 0..<300 {
      let (width, height) = (1 + random.below(20), 1 + random.below(20)), share = random.uniform()
      let mask = Mask(width: width, height: height, pixels: (0..<(width * height)).map { _ in random.uniform() < share ? 1 : 0 })
      let numbers = RunLength.encode(mask).split(separator: " ").map { Int($0)! }
      var filled = Mask(width: width, height: height, repeating: 0), end = -1
      for run in stride(from: 0, to: numbers.count, by: 2) {
        let (start, length) = (numbers[run] - 1, numbers[run + 1])
        #expect(start > end && length > 0, "runs in order, as long as they can be")
        for pixel in start..<(start + length) { filled[pixel % height, pixel / height] = 1 }
        end = start + length
      }
      #expect(filled == mask)
    }
  }
}
