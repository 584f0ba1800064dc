import Foundation
import Synchronization

/// A web server on 127.0.0.1 for one test: serves bytes by name, with or without ranges, and breaks off where told to.
final class LoopbackServer: @unchecked Sendable {
  struct Behaviour: Sendable {
    var honoursRange = true
    /// Sent as ETag.
    var version = "\"v1\""
    /// Bytes of a body after which the connection is closed, one for each of the first answers.
    var breaks: [Int] = []
    /// Answered instead of any file.
    var status: Int?
  }
  struct Request: Sendable, Equatable {
    var name: String
    var range: Int?
  }
  private struct State {
    var files: [String: [UInt8]]
    var behaviour: Behaviour
    var requests: [Request] = []
  }

  private let state: Mutex<State>
  private let socket: Int32
  let port: UInt16
  var address: String { "http://127.0.0.1:\(port)/bbbc/" }
  var requests: [Request] { state.withLock { $0.requests } }
  func update(_ change: (inout [String: [UInt8]], inout Behaviour) -> Void) { state.withLock { change(&$0.files, &$0.behaviour) } }

  init(_ files: [String: [UInt8]], _ behaviour: Behaviour = Behaviour()) throws {
    state = Mutex(State(files: files, behaviour: behaviour))
    #if canImport(Glibc) || canImport(Musl)
      socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      socket = Foundation.socket(AF_INET, SOCK_STREAM, 0)
    #endif
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = self.socket
    let bound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) == 0 && listen(socket, 8) == 0 && getsockname(socket, $0, &length) == 0 }
    }
    guard bound else { throw POSIXError(.EADDRINUSE) }
    port = UInt16(bigEndian: name.sin_port)
    Thread { [self] in
      while true {
        let connection = accept(socket, nil, nil)
        if connection < 0 {
          close(socket)
          return
        }
        answer(connection)
        shutdown(connection, Int32(SHUT_RDWR))
        close(connection)
      }
    }.start()
  }

  /// Wakes the thread, which closes the socket: closed here, its number could belong to another test's server by the next `accept`.
  func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

  private func answer(_ connection: Int32) {
    var head: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 4096)
    while !String(decoding: head, as: UTF8.self).contains("\r\n\r\n") {
      let got = read(connection, &buffer, buffer.count)
      if got <= 0 { return }
      head += buffer.prefix(got)
    }
    let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
    func field(_ name: String) -> String? {
      lines.first { $0.lowercased().hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
    }
    let name = String(lines[0].split(separator: " ")[1].split(separator: "/").last ?? "")
    let range = field("range").flatMap { Int($0.drop { !$0.isNumber }.prefix { $0.isNumber }) }
    let (file, behaviour, cut): ([UInt8]?, Behaviour, Int?) = state.withLock {
      $0.requests.append(Request(name: name, range: range))
      let cut = $0.behaviour.breaks.isEmpty ? nil : $0.behaviour.breaks.removeFirst()
      return ($0.files[name], $0.behaviour, cut)
    }
    func send(_ bytes: [UInt8]) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let sent = rest.withUnsafeBytes { Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if sent <= 0 { return }
        rest = rest.dropFirst(sent)
      }
    }
    func respond(_ status: String, _ fields: String, _ body: ArraySlice<UInt8>) {
      send(Array("HTTP/1.1 \(status)\r\nConnection: close\r\nContent-Length: \(body.count)\r\nETag: \(behaviour.version)\r\n\(fields)\r\n".utf8))
      send(Array(body.prefix(cut ?? body.count)))
    }
    if let status = behaviour.status { return respond("\(status) Told So", "", []) }
    guard let file else { return respond("404 Not Found", "", []) }
    let same = field("if-range").map { $0 == behaviour.version } ?? true
    guard behaviour.honoursRange, same, let range else { return respond("200 OK", "", file[...]) }
    if range >= file.count { return respond("416 Range Not Satisfiable", "Content-Range: bytes */\(file.count)\r\n", []) }
    respond("206 Partial Content", "Content-Range: bytes \(range)-\(file.count - 1)/\(file.count)\r\n", file[range...])
  }
}
