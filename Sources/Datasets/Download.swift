import Diagnostics
import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

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

  /// Blocks until the file is there. `progress` gets (bytes so far, bytes in all where the server says so), on another thread.
  /// Throws `UserError` (exit 5).
  func run(progress: @escaping @Sendable (Int, Int?) -> Void) throws {
    var idle = 0
    while true {
      let before = Disk.size(part) ?? 0
      switch try Transfer(part: part, tag: tag, url: url, progress: progress).run() {
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

/// One request. All state is touched by the session's serial queue alone, until the semaphore hands it back.
private final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  enum Outcome {
    case complete, startOver
    case refused(status: Int)
    case broken(String)
  }

  private let part: String, tag: String, url: URL
  private let progress: @Sendable (Int, Int?) -> Void
  private let done = DispatchSemaphore(value: 0)
  private var file: FileHandle?
  private var received: Int
  private var total: Int?
  private var outcome: Outcome?
  private var failure: UserError?

  init(part: String, tag: String, url: URL, progress: @escaping @Sendable (Int, Int?) -> Void) {
    (self.part, self.tag, self.url, self.progress) = (part, tag, url, progress)
    received = Disk.size(part) ?? 0
  }

  func run() throws -> Outcome {
    var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: 60)
    // A compressed answer would have neither the length nor the ranges of the file.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    if received > 0 {
      request.setValue("bytes=\(received)-", forHTTPHeaderField: "Range")
      if let known = try? String(contentsOfFile: tag, encoding: .utf8) { request.setValue(known, forHTTPHeaderField: "If-Range") }
    }
    let session = URLSession(configuration: .ephemeral, delegate: self, delegateQueue: nil)
    session.dataTask(with: request).resume()
    done.wait()
    session.finishTasksAndInvalidate()
    if let failure { throw failure }
    return outcome ?? .broken("no answer")
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    guard let answer = response as? HTTPURLResponse else { return completionHandler(.cancel) }
    switch answer.statusCode {
    case 206:
      // "bytes 100-199/200"
      let range = (answer.value(forHTTPHeaderField: "Content-Range") ?? "").split { !$0.isNumber }.compactMap { Int($0) }
      guard range.first == received, range.count >= 2 else {
        outcome = .startOver
        return completionHandler(.cancel)
      }
      total = range.count == 3 ? range[2] : range[1] + 1
    case 200:
      received = 0
      total = answer.expectedContentLength >= 0 ? Int(answer.expectedContentLength) : nil
      let known = answer.value(forHTTPHeaderField: "ETag").flatMap { $0.hasPrefix("W/") ? nil : $0 } ?? answer.value(forHTTPHeaderField: "Last-Modified")
      unlink(tag)
      if let known { try? known.write(toFile: tag, atomically: true, encoding: .utf8) }
    case 416:
      // "bytes */200": nothing follows what is here; it is the whole file only if it is as long.
      let size = (answer.value(forHTTPHeaderField: "Content-Range") ?? "").split { !$0.isNumber }.last.flatMap { Int($0) }
      outcome = size == received ? .complete : .startOver
      return completionHandler(.cancel)
    case 500...599, 429:
      outcome = .broken("the server answers \(answer.statusCode)")
      return completionHandler(.cancel)
    default:
      outcome = .refused(status: answer.statusCode)
      return completionHandler(.cancel)
    }
    do {
      if Disk.kind(part) == .nothing { try Disk.write([], to: part) }
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: part))
      try file.truncate(atOffset: UInt64(received))
      self.file = file
      completionHandler(.allow)
    } catch {
      failure = error as? UserError ?? UserError.missing(part, "cannot be written: \(error)")
      completionHandler(.cancel)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    guard let file, failure == nil else { return }
    do {
      try file.write(contentsOf: data)
      received += data.count
      progress(received, total)
    } catch {
      failure = UserError.missing(part, "cannot be written: \(error)")
      dataTask.cancel()
    }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    try? file?.close()
    if outcome == nil {
      if let error {
        outcome = .broken(error.localizedDescription)
      } else if let total, received != total {
        outcome = .broken("\(received) of \(total) bytes came")
      } else {
        outcome = file == nil ? .broken("no answer") : .complete
      }
    }
    done.signal()
  }
}
