import Diagnostics
import Engine
import Imaging
import Synchronization

/// Predicts images: those of ordinary size side by side, one a thread; a large one alone, its tiles side by side.
struct PredictionWork {
  /// Bytes that an image takes beside the network, a pixel: most while total variation holds the image, its dual field and the result
  /// (measured on 4 to 67 megapixels: 17 to 19.2).
  static let bytesPerPixel = 20
  /// Where touching objects are taken apart: most in the watershed of one region that fills the image (its buffers, counted).
  static let bytesPerPixelSplit = 40
  /// From this many pixels on an image is worked at alone.
  private static let large = 1 << 22

  private let images: [InputImage]
  private let segmenter: Segmenter
  private let files: PredictionFiles
  private let withRuns: Bool
  private let display: PredictDisplay

  init(_ images: [InputImage], _ segmenter: Segmenter, _ files: PredictionFiles, withRuns: Bool, _ display: PredictDisplay) {
    (self.images, self.segmenter, self.files, self.withRuns, self.display) = (images, segmenter, files, withRuns, display)
  }

  private struct State {
    var rows: [Int: PredictionFiles.Rows] = [:]
    /// A fault of the output: it would meet every image.
    var fault: (any Error)?
  }

  /// The table rows of the images that could be read, in order; those that could not are reported.
  ///
  /// - Throws: `UserError` (exit 5) where results cannot be written; `CancellationError` after a signal.
  func run() throws -> [PredictionFiles.Rows] {
    var ordinary: [Int] = [], large: [Int] = []
    let bytesPerPixel = segmenter.splitsTouching ? Self.bytesPerPixelSplit : Self.bytesPerPixel
    for index in images.indices {
      do {
        let size = try ImageFile.size(path: images[index].path)
        let pixels = size.height * size.width, needed = Double(pixels * bytesPerPixel) / 1e6, limits = ProcessLimits.current
        guard needed < limits.megabytes else {
          throw UserError(
            "\(images[index].path): \(size.width) × \(size.height) pixels take \(Int(needed)) MB, and \(Int(limits.megabytes)) MB are \(limits.memorySource)",
            exitCode: .inputOrOutputFailed)
        }
        if pixels < Self.large { ordinary.append(index) } else { large.append(index) }
      } catch { display.failed(error) }
    }
    let state = Mutex(State())
    func predict(_ index: Int, onThread thread: Int?) {
      if Interrupts.signalReceived != nil || state.withLock({ $0.fault != nil }) { return }
      do {
        let rows = try self.rows(of: images[index], onThread: thread)
        state.withLock { $0.rows[index] = rows }
      } catch { state.withLock { $0.fault = error } }
    }
    segmenter.sideBySide(tasks: ordinary.count) { predict(ordinary[$0], onThread: $1) }
    for index in large { predict(index, onThread: nil) }
    let end = state.withLock { $0 }
    display.finish()
    if Interrupts.signalReceived != nil { throw CancellationError() }
    if let fault = end.fault { throw fault }
    return images.indices.compactMap { end.rows[$0] }
  }

  /// nil where the image cannot be read, which is reported.
  private func rows(of image: InputImage, onThread thread: Int?) throws -> PredictionFiles.Rows? {
    let grey: GrayImage, fullScale: Double
    do {
      let decoded = try ImageFile.read(path: image.path)
      (grey, fullScale) = (decoded.gray, decoded.fullScale)
    } catch {
      display.failed(error)
      return nil
    }
    let found = try segmenter.segment(grey, onThread: thread)
    try files.write(found, of: grey, name: image.name)
    let rows = files.rows(found, of: grey, fullScale: fullScale, name: image.name, withRuns: withRuns)
    display.done()
    return rows
  }
}

/// Images done, images a second and time left: on a terminal a line that changes, elsewhere a line a tenth.
final class PredictDisplay: Sendable {
  private let console: Console
  private let total: Int
  private let start = ContinuousClock.now
  private let state = Mutex((done: 0, failed: 0, tenth: 0))

  init(_ console: Console, total: Int) { (self.console, self.total) = (console, total) }

  func done() { state.withLock { update(&$0) { $0.done += 1 } } }

  /// Reports an image that cannot be read.
  func failed(_ error: any Error) {
    state.withLock { state in
      clear()
      console.show((error as? UserError)?.diagnostics ?? [Diagnostic(.error, "\(error)")])
      update(&state) { $0.failed += 1 }
    }
  }

  func finish() { state.withLock { _ in clear() } }

  private func clear() { if console.isLive { console.put("\r\u{1B}[K") } }

  private func update(_ state: inout (done: Int, failed: Int, tenth: Int), _ change: (inout (done: Int, failed: Int, tenth: Int)) -> Void) {
    change(&state)
    let seconds = (ContinuousClock.now - start).seconds, ended = state.done + state.failed
    let rate = Double(state.done) / max(seconds, 1e-9), left = Double(total - ended) / max(rate, 1e-9)
    var line = "\(ended) of \(total) images"
    if state.done > 0 { line += ", \(ProgressText.fixed(rate, 1)) a second" + (ended < total ? ", \(ProgressText.duration(left)) left" : "") }
    if state.failed > 0 { line += ", \(state.failed) could not be read" }
    if console.isLive { return console.put("\r\u{1B}[K" + line.prefix(console.columns - 1)) }
    let tenth = ended * 10 / total
    if tenth > state.tenth {
      state.tenth = tenth
      console.print(line)
    }
  }
}
