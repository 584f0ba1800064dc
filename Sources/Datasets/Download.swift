import CCurl
import Diagnostics
import Foundation

/// One file over HTTP into `<path>.part`, renamed to `path` when whole. What a broken connection left is gone on with by a Range
/// request, if the server honours it and still has the same file; otherwise the download starts over.
struct Download: Sendable {
  var url: URL
  var path: String
  /// Attempts in a row without a single new byte before giving up, and the wait between them (seconds, doubled each time).
  var attempts = 4
  var delay = 1.0

  private var part: String { "\(path).part" }
  /// The server's ETag or date of the partial file: sent as `If-Range`, so that halves of two versions are never joined.
  private var tag: String { "\(path).part.tag" }

  /// Blocks until the file is there. `progress` gets (bytes so far, bytes in all where the server says so).
  /// Throws `UserError` (exit 5).
  func run(progress: (Int, Int?) -> Void) throws {
    guard ccurl_available() != 0 else {
      throw UserError.missing(
        url.absoluteString, "libcurl, which downloads, is not installed",
        hints: ["Debian, Ubuntu: apt-get install libcurl4; or bring the file by hand as \(path)"])
    }
    var idle = 0
    while true {
      let before = Disk.size(part) ?? 0
      switch try withoutActuallyEscaping(progress, do: { try Transfer(part: part, tag: tag, url: url, progress: $0).run() }) {
      case .complete:
        unlink(tag)
        guard rename(part, path) == 0 else { throw Disk.failure(path) }
        return
      case .startOver:
        unlink(part)
        unlink(tag)
        idle += 1
      case .refused(let status):
        throw UserError.missing(url.absoluteString, "the server answers \(status)")
      case .broken(let reason):
        let after = Disk.size(part) ?? 0
        idle = after > before ? 0 : idle + 1
        if idle >= attempts {
          throw UserError.missing(
            url.absoluteString, "download broke off: \(reason)", hints: ["\(after) bytes are kept; the same command goes on from there"])
        }
      }
      if idle >= attempts { throw UserError.missing(url.absoluteString, "the server's answers do not fit the part that is here") }
      if idle > 0 { Thread.sleep(forTimeInterval: delay * Double(1 << (idle - 1))) }
    }
  }
}

/// One request.
private final class Transfer {
  enum Outcome {
    case complete, startOver
    case refused(status: Int)
    case broken(String)
  }

  private let part: String, tag: String, url: URL
  private let progress: (Int, Int?) -> Void
  /// Of the latest answer's head; names in lower case.
  private var status = 0
  private var fields: [String: String] = [:]
  private var file: FileHandle?
  private var received: Int
  private var total: Int?
  private var outcome: Outcome?
  private var failure: UserError?

  init(part: String, tag: String, url: URL, progress: @escaping (Int, Int?) -> Void) {
    (self.part, self.tag, self.url, self.progress) = (part, tag, url, progress)
    received = Disk.size(part) ?? 0
  }

  func run() throws -> Outcome {
    // A compressed answer would have neither the length nor the ranges of the file.
    var wanted = ["Accept-Encoding: identity"]
    if received > 0 {
      wanted.append("Range: bytes=\(received)-")
      if let known = try? String(contentsOfFile: tag, encoding: .utf8) { wanted.append("If-Range: \(known)") }
    }
    let broken = get(wanted)
    if file == nil, outcome == nil, failure == nil, broken == nil { begin() }  // an answer without a body
    try? file?.close()
    if let failure { throw failure }
    if let outcome { return outcome }
    if let broken { return .broken(broken) }
    if let total, received != total { return .broken("\(received) of \(total) bytes came") }
    return .complete
  }

  /// What kept the answer from coming whole, if anything did.
  private func get(_ wanted: [String]) -> String? {
    let texts = wanted.map { strdup($0) }
    defer { for text in texts { free(text) } }
    var message = [CChar](repeating: 0, count: 256)
    let code = texts.map { UnsafePointer($0) }.withUnsafeBufferPointer { fields in
      ccurl_get(
        url.absoluteString, fields.baseAddress, fields.count,
        { context, bytes, count in Transfer.of(context).take(headLine: UnsafeBufferPointer(start: bytes, count: count)) },
        { context, bytes, count in Transfer.of(context).take(body: UnsafeRawBufferPointer(start: bytes, count: count)) },
        Unmanaged.passUnretained(self).toOpaque(), &message)
    }
    return code == 0 ? nil : String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> Transfer { Unmanaged.fromOpaque(context!).takeUnretainedValue() }

  /// "HTTP/1.1 206 Partial Content", or "Name: value". 0: go on.
  private func take(headLine bytes: UnsafeBufferPointer<CChar>) -> Int32 {
    let line = String(decoding: UnsafeRawBufferPointer(bytes), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    if line.hasPrefix("HTTP/") {
      fields = [:]
      status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    } else if let colon = line.firstIndex(of: ":") {
      fields[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return 0
  }

  /// 0: go on.
  private func take(body: UnsafeRawBufferPointer) -> Int32 {
    if file == nil { begin() }
    guard let file, failure == nil else { return 1 }
    do {
      try file.write(contentsOf: Data(body))
      received += body.count
      progress(received, total)
      return 0
    } catch {
      failure = UserError.missing(part, "cannot be written: \(error)")
      return 1
    }
  }

  /// Decides by the answer's head: opens the part for what follows, or sets `outcome`.
  private func begin() {
    switch status {
    case 206:
      // "bytes 100-199/200"
      let range = (fields["content-range"] ?? "").split { !$0.isNumber }.compactMap { Int($0) }
      guard range.first == received, range.count >= 2, range[1] < Int.max else {
        outcome = .startOver
        return
      }
      total = range.count == 3 ? range[2] : range[1] + 1
    case 200:
      received = 0
      total = fields["content-length"].flatMap { Int($0) }
      let known = fields["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 } ?? fields["last-modified"]
      unlink(tag)
      if let known { try? known.write(toFile: tag, atomically: true, encoding: .utf8) }
    case 416:
      // "bytes */200": nothing follows what is here; it is the whole file only if it is as long.
      let size = (fields["content-range"] ?? "").split { !$0.isNumber }.last.flatMap { Int($0) }
      outcome = size == received ? .complete : .startOver
      return
    case 500...599, 429:
      outcome = .broken("the server answers \(status)")
      return
    default:
      outcome = .refused(status: status)
      return
    }
    do {
      if Disk.kind(part) == .nothing { try Disk.write([], to: part) }
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: part))
      try file.truncate(atOffset: UInt64(received))
      self.file = file
    } catch {
      failure = error as? UserError ?? UserError.missing(part, "cannot be written: \(error)")
    }
  }
}
