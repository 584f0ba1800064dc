import CZlib
import Diagnostics
import Files
import Foundation

/// A zip archive of files that are stored as they are (weights hardly shrink), without dates, so that the same files are the same bytes.
///
/// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
struct StoredZip {
  /// 1 January 1980 as MS-DOS counts dates, the first there is.
  private static let date: UInt16 = 1 << 5 | 1
  /// Names are UTF-8.
  private static let flags: UInt16 = 1 << 11

  private(set) var bytes = Data()
  private var directory = Data()
  private var count: UInt16 = 0

  /// Adds a file; all of them stay below 4 GB, where the plain format ends.
  mutating func add(_ name: String, _ contents: Data) {
    precondition(bytes.count + contents.count < Int(UInt32.max) - 1 << 20, "a zip archive without its 64-bit extension ends at 4 GB")
    let sum = contents.withUnsafeBytes { crc32(0, $0.bindMemory(to: UInt8.self).baseAddress, uInt($0.count)) }
    let size = UInt32(contents.count), offset = UInt32(bytes.count)
    var common = Data()  // version, flags, method, time, date, checksum, two sizes, lengths of name and extra field: as both headers have them
    for half in [10, Self.flags, 0, 0, Self.date] as [UInt16] { common.append(half) }
    for word in [UInt32(sum), size, size] { common.append(word) }
    for half in [UInt16(name.utf8.count), 0] { common.append(half) }
    bytes.append(0x0403_4B50 as UInt32)
    bytes.append(common + Data(name.utf8) + contents)
    directory.append(0x0201_4B50 as UInt32)
    directory.append(10 as UInt16)
    directory.append(common)
    for half in [0, 0, 0] as [UInt16] { directory.append(half) }  // comment, disk, internal attributes
    directory.append(0 as UInt32)  // external attributes
    directory.append(offset)
    directory.append(Data(name.utf8))
    count += 1
  }

  /// The archive with its directory.
  func finished() -> Data {
    var end = Data()
    end.append(0x0605_4B50 as UInt32)
    for half in [0, 0, count, count] { end.append(half) }
    for word in [UInt32(directory.count), UInt32(bytes.count)] { end.append(word) }
    end.append(0 as UInt16)
    return bytes + directory + end
  }
}

extension Data {
  fileprivate mutating func append(_ number: some FixedWidthInteger) { Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) } }
}
