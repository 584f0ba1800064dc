import NetworkGraph

/// U-Net (Ronneberger 2015, in the public Keras form the paper cites, at width B): convolve twice and pool, N levels down;
/// enlarge, convolve 2×2, concatenate the skip, convolve twice, N − 1 levels up. Drop-out after levels N − 1 and N.
struct UNet: Architecture {
  static let name = "unet"
  let options: ArchitectureOptions
  init(_ options: ArchitectureOptions) { self.options = options }

  func build(_ image: Symbol, in net: inout NetworkBuilder) -> Symbol {
    let N = options.depth, f = options.filters, normalized = options.batchNormalization
    var skips: [Int: Symbol] = [:]
    var x = image
    for n in 1...N {
      if n > 1 { x = net.pool(x) }
      x = net.convBlock(x, f(n), "down\(n).conv1", normalized: normalized)
      x = net.convBlock(x, f(n), "down\(n).conv2", normalized: normalized)
      if n >= N - 1 { x = net.dropout(x, options.dropout) }
      skips[n] = x
    }
    for n in (1..<N).reversed() {
      x = net.convBlock(net.nearest(x), f(n), "up\(n).conv0", kernel: 2, normalized: normalized)
      x = net.convBlock(net.concat(skips[n]!, x), f(n), "up\(n).conv1", normalized: normalized)
      x = net.convBlock(x, f(n), "up\(n).conv2", normalized: normalized)
    }
    x = net.convBlock(x, 2, "head.conv", normalized: normalized)
    return net.head(x, "head.out")
  }
}
