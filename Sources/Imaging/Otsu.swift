extension Image where Pixel == Float {
  /// The grey value that parts the pixels into two classes with the largest variance between them (Otsu, "A threshold selection method from
  /// gray-level histograms", 1979), over 256 classes of value as scikit-image's `threshold_otsu` counts them. Above it is foreground;
  /// a constant image gives its value.
  public var otsuThreshold: Float {
    guard let low = pixels.min(), let high = pixels.max(), low < high else { return pixels.first ?? 0 }
    let bins = 256, width = (Double(high) - Double(low)) / Double(bins)
    var counts = [Double](repeating: 0, count: bins)
    for value in pixels { counts[min(bins - 1, Int((Double(value) - Double(low)) / width))] += 1 }
    let centres = (0..<bins).map { Double(low) + (Double($0) + 0.5) * width }
    let total = Double(pixels.count), moment = zip(counts, centres).reduce(0) { $0 + $1.0 * $1.1 }
    var below = (count: 0.0, moment: 0.0), best = (variance: -1.0, bin: 0)
    for bin in 0..<(bins - 1) {
      below.count += counts[bin]
      below.moment += counts[bin] * centres[bin]
      let distance = below.moment / below.count - (moment - below.moment) / (total - below.count)
      let variance = below.count * (total - below.count) * distance * distance
      if variance > best.variance { best = (variance, bin) }
    }
    return Float(centres[best.bin])
  }
}
