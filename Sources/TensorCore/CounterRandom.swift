/// What a random number is for. Each purpose has a stream of its own, so that adding a draw to one never shifts another.
/// Drop-out is none of them: its kernel draws for itself, from the seed, epoch, sample and layer (`DropoutDraw`).
public enum RandomPurpose: UInt32, Sendable, CaseIterable {
  case weights = 1, shuffle = 3, augmentation, crops, split, synthetic, testing, bootstrap
}

/// Counter-based random numbers: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
///
/// A value is a pure function of (seed, purpose, epoch, sample, position), so draws do not depend on the number of
/// threads, on the order of work, or on where a run was interrupted.
public struct CounterRandom: RandomNumberGenerator, Sendable {
  private let key: (UInt32, UInt32)
  private let stream: (UInt32, UInt32)
  private var position: UInt64 = 0
  private var buffered: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  private var remaining = 0

  public init(seed: Int, purpose: RandomPurpose, epoch: Int = 0, sample: Int = 0) {
    let s = UInt64(bitPattern: Int64(seed))
    key = (UInt32(truncatingIfNeeded: s), UInt32(truncatingIfNeeded: s >> 32) ^ (purpose.rawValue &* 0x9E37_79B9))
    stream = (UInt32(truncatingIfNeeded: epoch), UInt32(truncatingIfNeeded: sample))
  }

  /// The four words of one Philox block: counter (position low, position high, epoch, sample) under this stream's key.
  public func block(_ position: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
    Self.philox(
      counter: (UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32), stream.0, stream.1), key: key)
  }

  public static func philox(
    counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var c = counter, k = key
    for round in 0..<10 {
      if round > 0 { k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85) }
      let p0 = UInt64(c.0) &* 0xD251_1F53, p1 = UInt64(c.2) &* 0xCD9E_8D57
      c = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c.3 ^ k.1, UInt32(truncatingIfNeeded: p0)
      )
    }
    return c
  }

  public mutating func nextWord() -> UInt32 {
    if remaining == 0 {
      buffered = block(position)
      position &+= 1
      remaining = 4
    }
    defer { remaining -= 1 }
    switch remaining {
    case 4: return buffered.0
    case 3: return buffered.1
    case 2: return buffered.2
    default: return buffered.3
    }
  }

  public mutating func next() -> UInt64 {
    let low = UInt64(nextWord())
    return UInt64(nextWord()) << 32 | low
  }

  /// Uniform in [0, 1), 24 bits.
  public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

  /// Uniform in [range.lowerBound, range.upperBound).
  public mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
  }

  /// Uniform integer in 0 ..< bound (Lemire's multiply, unbiased enough for bound ≪ 2³²: error below bound · 2⁻³²).
  public mutating func below(_ bound: Int) -> Int { Int((UInt64(nextWord()) &* UInt64(bound)) >> 32) }

  /// Standard normal (Box–Muller; one draw per call, both uniforms consumed).
  public mutating func normal() -> Float {
    let u = max(Double(nextWord()) * 0x1p-32, 0x1p-33), v = Double(nextWord()) * 0x1p-32
    return Float((-2 * u.logarithm()).squareRoot() * (2 * Double.pi * v).cosine())
  }

  /// A permutation of 0 ..< count (Fisher–Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) }
    return order
  }
}
