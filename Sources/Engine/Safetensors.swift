import Crypto
import Diagnostics
import Files
import Foundation

/// Named float32 tensors and text in one file, the safetensors format (8 bytes of header length, JSON header, data), with a
/// SHA-256 of everything else in the metadata.
public struct Safetensors: Sendable {
  public struct Entry: Sendable {
    public var name: String
    public var shape: [Int]
    public var values: [Float]
    public init(name: String, shape: [Int], values: [Float]) { (self.name, self.shape, self.values) = (name, shape, values) }
  }
  public var entries: [Entry]
  public var metadata: [String: String]
  public init(entries: [Entry], metadata: [String: String]) { (self.entries, self.metadata) = (entries, metadata) }

  public subscript(name: String) -> Entry? { entries.first { $0.name == name } }

  private struct Location: Codable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
  }
  private enum HeaderValue: Codable {
    case tensor(Location), metadata([String: String])
    init(from decoder: Decoder) throws {
      let single = try decoder.singleValueContainer()
      if let location = try? single.decode(Location.self) { self = .tensor(location) } else { self = .metadata(try single.decode([String: String].self)) }
    }
    /// Where in the data; before all of it, where there are no two places.
    var bounds: (Int, Int) {
      if case .tensor(let location) = self, location.data_offsets.count == 2 { (location.data_offsets[0], location.data_offsets[1]) } else { (-1, -1) }
    }
    func encode(to encoder: Encoder) throws {
      var single = encoder.singleValueContainer()
      switch self {
      case .tensor(let location): try single.encode(location)
      case .metadata(let metadata): try single.encode(metadata)
      }
    }
  }
  private static let checksumKey = "sha256"

  /// The kinds of numbers that become float32.
  private enum Number: String {
    case F32, F64, F16, BF16

    var bytes: Int { self == .F64 ? 8 : self == .F32 ? 4 : 2 }

    func floats(_ data: Data) -> [Float] {
      func converted<Stored>(_: Stored.Type, _ convert: (Stored) -> Float) -> [Float] {
        data.withUnsafeBytes { raw in (0..<raw.count / bytes).map { convert(raw.loadUnaligned(fromByteOffset: $0 * bytes, as: Stored.self)) } }
      }
      switch self {
      case .F32: return [Float](unsafeUninitializedCapacity: data.count / 4) { buffer, count in count = data.copyBytes(to: buffer) / 4 }
      case .F64: return converted(Double.self) { Float($0) }
      case .BF16: return converted(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
      // By hand: Swift has no 16-bit floats on some processors. Subnormals are counted in steps of 2^-24, never held as subnormals of a Float:
      // a thread that has run kernels takes those for zero.
      case .F16:
        return converted(UInt16.self) { half in
          let sign = UInt32(half & 0x8000) << 16, magnitude = UInt32(half & 0x7FFF)
          if magnitude >= 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | magnitude << 13) }
          if magnitude < 0x400 { return Float(bitPattern: sign | (Float(magnitude) * 0x1p-24).bitPattern) }
          return Float(bitPattern: sign | ((magnitude << 13) + (112 << 23)))
        }
      }
    }
  }

  /// - Throws: `UserError` (exit 5) where the file cannot be written; the old file then stands.
  public func write(to path: String) throws { try DurableFile.write(to: path, put(into:)) }

  /// The file's contents, from where the numbers stand: a checkpoint would else need as much memory again, several times.
  func put(into file: OpenFile) throws {
    var metadata = metadata
    metadata[Self.checksumKey] = Self.checksum(try header(metadata)) { update in
      for entry in entries { entry.values.withUnsafeBytes(update) }
    }
    let header = try header(metadata)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.append($0) }
    try header.withUnsafeBytes { try file.append($0) }
    for entry in entries { try entry.values.withUnsafeBytes { try file.append($0) } }
  }

  private func header(_ metadata: [String: String]) throws -> Data {
    var header: [String: HeaderValue] = ["__metadata__": .metadata(metadata)]
    var offset = 0
    for entry in entries {
      let bytes = 4 * entry.values.count
      header[entry.name] = .tensor(Location(dtype: "F32", shape: entry.shape, data_offsets: [offset, offset + bytes]))
      offset += bytes
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var json = try encoder.encode(header)
    json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    return json
  }

  /// - Parameter data: hands all that follows the header to its argument, piece by piece.
  private static func checksum(_ header: Data, _ data: ((UnsafeRawBufferPointer) -> Void) -> Void) -> String {
    var hash = SHA256()
    hash.update(data: header)
    data { hash.update(bufferPointer: $0) }
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }

  /// nil where the shape is none, or larger than any memory.
  private static func bytes(of shape: [Int], each: Int) -> Int? {
    var bytes = each
    for side in shape {
      let (product, overflows) = bytes.multipliedReportingOverflow(by: side)
      guard side >= 0, !overflows else { return nil }
      bytes = product
    }
    return bytes
  }

  /// - Parameters:
  ///   - ours: whether it must carry our checksum; files of others have none.
  ///   - converting: whether numbers may be of other kinds: floats become float32, and tensors of integers (PyTorch's counters) are left out.
  /// - Throws: `UserError`: exit 5 where the file cannot be read, exit 6 where it is damaged.
  public static func read(_ path: String, ours: Bool = false, converting: Bool = false) throws -> Safetensors {
    let file: Data
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw UserError("\(path): a folder, not a file of weights", exitCode: .inputOrOutputFailed)
    }
    do { file = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
      throw UserError("\(path): cannot be read: \((error as NSError).localizedDescription)", exitCode: .inputOrOutputFailed)
    }
    func damaged(_ why: String, hints: [String] = []) -> UserError { UserError("\(path): damaged: \(why)", exitCode: .damagedData, hints: hints) }
    guard file.count >= 8 else { throw damaged("\(file.count) bytes are no safetensors file") }
    let length = file.prefix(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self).littleEndian }
    guard length <= UInt64(file.count - 8), length < 100_000_000 else { throw damaged("the header is longer than the file") }
    // Slices, which copy nothing; their indices are the file's.
    let start = 8 + Int(length), headerData = file.subdata(in: 8..<start), data = file[start...]
    guard let header = try? JSONDecoder().decode([String: HeaderValue].self, from: headerData) else { throw damaged("the header is not JSON") }

    var result = Safetensors(entries: [], metadata: [:])
    var end = 0, isAsWritten = true
    // In the data's order, in which tensors follow each other without gaps: what overlapped could ask for any memory.
    for (name, value) in header.sorted(by: { ($0.value.bounds.0, $0.value.bounds.1, $0.key) < ($1.value.bounds.0, $1.value.bounds.1, $1.key) }) {
      switch value {
      case .metadata(let metadata):
        guard name == "__metadata__" else { throw damaged("\(name) is no tensor") }
        result.metadata = metadata
      case .tensor(let location):
        let (first, last) = value.bounds
        guard first >= 0, first <= last, last <= data.count else { throw damaged("\(name) lies outside of the file") }
        guard first == end else { throw damaged("\(name) does not begin where the tensor before it ends") }
        end = last
        if converting, ["I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"].contains(location.dtype) {
          isAsWritten = false
          continue
        }
        guard let kind = Number(rawValue: location.dtype), kind == .F32 || converting else {
          throw damaged("\(name) is \(location.dtype), not F32", hints: ["runner import takes other programs' weights"])
        }
        guard Self.bytes(of: location.shape, each: kind.bytes) == last - first else { throw damaged("\(name) lies outside of the file") }
        if kind != .F32 { isAsWritten = false }
        result.entries.append(Entry(name: name, shape: location.shape, values: kind.floats(data[(start + first)..<(start + last)])))
      }
    }
    guard end == data.count else { throw damaged("\(data.count - end) bytes belong to no tensor") }
    if let stated = result.metadata.removeValue(forKey: checksumKey) {
      // A program that rounded our numbers and kept our metadata has kept a checksum of other bytes.
      let isWhole = try !isAsWritten || checksum(result.header(result.metadata)) { update in data.withUnsafeBytes(update) } == stated
      guard isWhole else {
        throw damaged("its checksum does not match", hints: converting ? ["changed by another program? leave \(checksumKey) out of its metadata"] : [])
      }
    } else if ours {
      throw damaged("it has no checksum")
    }
    return result
  }
}
