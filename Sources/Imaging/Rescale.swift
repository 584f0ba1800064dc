extension Image where Pixel == Float {
  /// Spread over [0, 1] by its least and greatest value; a constant image is only clipped to [0, 1] (scikit-image's `rescale_intensity`).
  public func rescaled() -> GrayImage {
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in pixels {
      low = value < low ? value : low
      high = value > high ? value : high
    }
    return low < high ? map { ($0 - low) / (high - low) } : map { min(max($0, 0), 1) }
  }

  /// The paper's preprocessing: CLAHE, total-variation de-noising, rescaling to [0, 1].
  ///
  /// - Parameters:
  ///   - claheClip: CLAHE's clip limit; 0 leaves CLAHE out.
  ///   - claheTiles: CLAHE's tiles a side.
  ///   - tvWeight: weight of de-noising; 0 leaves it out.
  ///   - tvIterations: its iterations at most.
  public func preprocessed(claheClip: Double, claheTiles: Int, tvWeight: Double, tvIterations: Int) -> GrayImage {
    var image = self
    if claheClip > 0 { image = image.equalizedAdaptively(clipLimit: claheClip, tiles: claheTiles) }
    if tvWeight > 0 { image = image.denoisedByTotalVariation(weight: tvWeight, maximumIterations: tvIterations) }
    return image.rescaled()
  }
}
