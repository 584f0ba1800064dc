import NetworkGraph

/// U-Net++ (Zhou 2018, the public Keras network, L4 head only): node X[i,j] convolves the concatenation of its row's
/// earlier nodes and the enlarged node below to the left. Drop-out after each convolution. Rows and columns count from 0.
struct UNetPlusPlus: Architecture {
  static let name = "unet++"
  let options: ArchitectureOptions
  init(_ options: ArchitectureOptions) { self.options = options }

  func build(_ image: Symbol, in net: inout NetworkBuilder) -> Symbol {
    let N = options.depth
    func f(_ row: Int) -> Int { options.filters(row + 1) }
    var X = Grid()
    for column in 0..<N {
      for i in 0..<(N - column) {
        let name = "X\(i)\(column)"
        if column == 0 {
          X[i, 0] = unit(i == 0 ? image : net.pool(X[i - 1, 0]), f(i), name, in: &net)
        } else {
          let up = net.transposed(X[i + 1, column - 1], f(i), kernel: 2, "\(name).up")
          let row = (0..<column).map { X[i, $0] }
          X[i, column] = unit(net.concat([up] + row), f(i), name, in: &net)
        }
      }
    }
    return net.head(X[0, N - 1])
  }

  /// Two 3×3 convolutions, each followed by drop-out.
  private func unit(_ x: Symbol, _ filters: Int, _ name: String, in net: inout NetworkBuilder) -> Symbol {
    var x = x
    for half in ["conv1", "conv2"] {
      x = net.dropout(net.convBlock(x, filters, "\(name).\(half)", normalized: options.batchNormalization), options.dropout)
    }
    return x
  }
}
