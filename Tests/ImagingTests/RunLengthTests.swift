import Imaging
import TensorCore
import Testing

@Suite struct RunLengthTests {
  @Test func runsGoDownTheColumns() throws {
    // 3 high, 2 wide: pixels 2 and 3 stand in the first column, 4 on top of the second.
    let mask = try RunLength.decode("2 3", width: 2, height: 3)
    #expect(mask.pixels == [0, 1, 1, 0, 1, 0])
    #expect(RunLength.encode(mask) == "2 3")
    #expect(try RunLength.decode("1 1 3 1\t6 1\n", width: 2, height: 3).pixels == [1, 0, 0, 0, 1, 1])
    #expect(try RunLength.decode("", width: 2, height: 3).pixels == [0, 0, 0, 0, 0, 0])
  }

  @Test func roundTrip() throws {
    var random = CounterRandom(seed: 5, purpose: .testing)
    for _ in 0..<300 {
      let (width, height) = (1 + random.below(20), 1 + random.below(20))
      let share = random.uniform()
      let mask = Mask(width: width, height: height, pixels: (0..<(width * height)).map { _ in random.uniform() < share ? 1 : 0 })
      #expect(try RunLength.decode(RunLength.encode(mask), width: width, height: height) == mask)
    }
  }

  @Test("Every fault has its own message", arguments: [
    ("1 2 5", "3 numbers cannot be pairs of start and length"),
    ("1 x", "“x” is not a number"),
    ("1 2.5", "“2.5” is not a number"),
    ("1 99999999999999999999", "“99999999999999999999” is not a number"),
    ("0 2", "run “0 2”: start and length count from 1"),
    ("3 0", "run “3 0”: start and length count from 1"),
    ("-3 2", "run “-3 2”: start and length count from 1"),
    ("5 2 2 1", "run “2 1” starts before the last one has ended, at 6"),
    ("2 4 5 1", "run “5 1” starts before the last one has ended, at 5"),
    ("11 3", "run “11 3” goes past the last of 12 pixels (3 × 4)"),
    ("13 1", "run “13 1” goes past the last of 12 pixels (3 × 4)"),
    ("2 9223372036854775807", "run “2 9223372036854775807” goes past the last of 12 pixels (3 × 4)"),
  ]) func faults(_ text: String, _ message: String) {
    #expect(throws: RunLength.Fault(description: message)) { try RunLength.decode(text, width: 4, height: 3) }
  }

  @Test func lastPixel() throws { #expect(try RunLength.decode("12 1", width: 4, height: 3)[2, 3] == 1) }
}
