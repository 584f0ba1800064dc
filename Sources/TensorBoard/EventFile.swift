import Diagnostics
import Foundation

/// A file of scalars that TensorBoard shows: TFRecords of `Event` messages.
///
/// Its bytes are a function of the scalars alone. So a writer that begins again after a kill states from the first step on what the
/// file shall hold: what of it stands there already is left as it is, for a reader may be in the middle of it, and the rest,
/// a half-written record or steps that were not kept, is replaced. No step stands in the file twice.
public struct EventFile: Sendable {
  /// The values of one step.
  public struct Step: Sendable, Hashable {
    public var number: Int
    /// Seconds since 1970.
    public var time: Double
    public var scalars: [Scalar]
    public init(_ number: Int, time: Double, _ scalars: [Scalar]) { (self.number, self.time, self.scalars) = (number, time, scalars) }
  }

  public struct Scalar: Sendable, Hashable {
    public var tag: String
    public var value: Double
    public init(_ tag: String, _ value: Double) { (self.tag, self.value) = (tag, value) }
  }

  /// TensorBoard reads files that have "tfevents" in their names.
  public static let name = "events.tfevents"

  private let path: String

  public init(path: String) { self.path = path }

  /// Whether the file stands there.
  public var isThere: Bool { access(path, F_OK) == 0 }

  /// Makes the file hold `steps`, all there are so far, and nothing else; what of it stands there already is not touched.
  /// - Throws: `UserError` (exit 5).
  public func begin(with steps: [Step]) throws {
    let version = Event(time: steps.first?.time ?? 0, step: 0, what: .fileVersion("brain.Event:2"))
    try replace(TFRecord.framed(version.bytes) + steps.flatMap(Self.record))
  }

  /// - Throws: `UserError` (exit 5).
  public func append(_ steps: [Step]) throws {
    let file = try opened(O_WRONLY | O_APPEND)
    defer { close(file) }
    try write(steps.flatMap(Self.record)[...], to: file)
  }

  private static func record(_ step: Step) -> [UInt8] {
    let values = step.scalars.map { scalar in
      Tensorflow_Summary.Value.with {
        $0.tag = scalar.tag
        $0.simpleValue = Float(scalar.value)
      }
    }
    return TFRecord.framed(Event(time: step.time, step: step.number, what: .summary(.with { $0.value = values })).bytes)
  }

  private func replace(_ bytes: [UInt8]) throws {
    let file = try opened(O_RDWR | O_CREAT)
    defer { close(file) }
    let old = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()
    let kept = zip(old, bytes).prefix { $0 == $1 }.count
    guard ftruncate(file, off_t(kept)) == 0, lseek(file, 0, SEEK_END) >= 0 else { throw fault() }
    try write(bytes[kept...], to: file)
  }

  private func opened(_ flags: Int32) throws -> Int32 {
    let file = open(path, flags | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw fault() }
    return file
  }

  private func write(_ bytes: ArraySlice<UInt8>, to file: Int32) throws {
    var rest = bytes
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw fault() }
      rest = rest.dropFirst(written)
    }
  }

  private func fault() -> UserError { UserError("\(path): \(String(cString: strerror(errno)))", exitCode: .inputOrOutputFailed) }
}

private typealias Event = Tensorflow_Event

extension Event {
  fileprivate init(time: Double, step: Int, what: OneOf_What) {
    self = .with {
      $0.wallTime = time
      $0.step = Int64(step)
      $0.what = what
    }
  }

  fileprivate var bytes: [UInt8] {
    do { return try serializedBytes() } catch { preconditionFailure("an event of numbers and short texts always encodes: \(error)") }
  }
}
