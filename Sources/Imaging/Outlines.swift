extension Image where Pixel == Float {
  /// The image in grey, spread over its own range, with the objects' outermost pixels in `color`; where two objects touch, both are outlined.
  public func outlined(_ labels: LabelImage, color: RGB = RGB(255, 176, 0)) -> RGBImage {
    precondition(labels.width == width && labels.height == height, "labels of another image")
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in pixels { (low, high) = (min(low, value), max(high, value)) }
    let scale = high > low ? 255 / (high - low) : 0
    var picture = RGBImage(width: width, height: height, repeating: RGB(0, 0, 0))
    for y in 0..<height {
      for x in 0..<width {
        let place = y * width + x, label = labels.pixels[place]
        // The image's border outlines nothing: a nucleus goes on there.
        let isEdge =
          label != 0
          && ((y > 0 && labels.pixels[place - width] != label) || (y + 1 < height && labels.pixels[place + width] != label)
            || (x > 0 && labels.pixels[place - 1] != label) || (x + 1 < width && labels.pixels[place + 1] != label))
        let grey = UInt8((pixels[place] - low) * scale + 0.5)
        picture.pixels[place] = isEdge ? color : RGB(grey, grey, grey)
      }
    }
    return picture
  }
}
