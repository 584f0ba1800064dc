import NetworkGraph

/// U-Net+ (Long 2020, Fig. 5a): every level goes on convolving, and each of its columns is sent down.
struct UNetPlus: Architecture {
  static let name = "unet+"
  static let choosesUpsampling = true
  let options: ArchitectureOptions
  init(_ options: ArchitectureOptions) { self.options = options }

  func build(_ image: Symbol, in net: inout NetworkBuilder) -> Symbol {
    let N = options.depth, f = options.filters  // f(n) = B · 2ⁿ⁻¹
    var C = Grid(), D = Grid()
    C[1, 0] = block(image, f(1), "C10", in: &net)
    for k in 1..<N {
      C[1, k] = block(C[1, k - 1], f(1), "C1\(k)", in: &net)
      D[1, k] = block(C[1, k - 1], f(2), "D1\(k)", stride: 2, in: &net)
    }
    for n in 2..<max(N, 2) {
      for k in 1...(N - n) {
        let x = k == 1 ? D[n - 1, 1] : net.concat(C[n, k - 1], D[n - 1, k])
        C[n, k] = block(x, f(n), "C\(n)\(k)", in: &net)
        D[n, k] = block(x, f(n + 1), "D\(n)\(k)", stride: 2, in: &net)
      }
    }
    var up = enlarge(D[N - 1, 1], N - 1, in: &net)
    for n in (1..<(N - 1)).reversed() {
      up = enlarge(net.concat(up, C[n + 1, N - n - 1], D[n, N - n]), n, in: &net)
    }
    return net.head(net.concat(up, C[1, N - 1]))
  }

  private func block(_ x: Symbol, _ filters: Int, _ name: String, stride: Int = 1, in net: inout NetworkBuilder) -> Symbol {
    net.dropout(net.convBlock(x, filters, name, stride: stride, normalized: options.batchNormalization), options.dropout)
  }

  /// U[n]: twice the sides (transposed convolution, or nearest neighbour), then two 3×3 blocks.
  private func enlarge(_ x: Symbol, _ n: Int, in net: inout NetworkBuilder) -> Symbol {
    let filters = options.filters(n)
    var x = options.upsampling == .transposed ? net.transposed(x, filters, kernel: 3, "U\(n).up") : net.nearest(x)
    for half in ["conv1", "conv2"] { x = block(x, filters, "U\(n).\(half)", in: &net) }
    return x
  }
}
