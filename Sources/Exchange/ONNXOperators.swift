import Ops
import TensorCore

/// An operation that says what it is in ONNX (operator set 17); a new operation is one more of these.
protocol ONNXConvertible: Operation {
  /// Adds the nodes that compute it, from `site`'s inputs and weights.
  /// - Returns: the name of the value they end in.
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String
}

/// Where an operation stands in the graph that is being written.
struct ONNXSite {
  /// Layer name of the nodes, e.g. `U2.conv1`; empty for operations without one.
  var layer: String
  /// Names of the values it reads.
  var inputs: [String]
  var shapes: [FeatureShape]
  /// Its weights in the order of its declarations, by name.
  var parameters: [Parameter]

  struct Parameter {
    var name: String
    var shape: [Int]
    var values: [Float]
  }
}

extension Convolution: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String {
    var x = site.inputs.count == 1 ? site.inputs[0] : graph.add("Concat", site.inputs, [.integer("axis", 1)], layer: site.layer)
    if form == .afterNearest2 { x = graph.addNearest2(x, layer: site.layer) }
    let weights = (foldsBatchNorm ? folded(site.parameters) : site.parameters).map { graph.add($0) }
    var y = graph.add(
      form == .transposed ? "ConvTranspose" : "Conv", [x] + weights,
      [.integers("kernel_shape", [kernel, kernel]), .integers("strides", [stride, stride]), .integers("pads", pads(site.shapes[0]))], layer: site.layer)
    if relu { y = graph.add("Relu", [y], layer: site.layer) }
    return y
  }

  /// TensorFlow's "same" padding in numbers, [top, left, bottom, right]: `auto_pad` says the same, but not every runtime follows it. A network
  /// made for one size serves all others, because each side that stride 2 meets is even.
  private func pads(_ input: FeatureShape) -> [Int] {
    func pads(_ side: Int) -> (before: Int, after: Int) {
      // A transposed convolution pads as the convolution it is the gradient of, whose input is its output.
      let large = side * (form == .plain ? 1 : form == .transposed ? stride : 2)
      let before = Self.padding(side: large, kernel: kernel, stride: stride)
      return (before, max(((large + stride - 1) / stride - 1) * stride + kernel - large - before, 0))
    }
    let (rows, columns) = (pads(input.height), pads(input.width))
    return [rows.before, columns.before, rows.after, columns.after]
  }

  /// w′ = w · γ/√(σ² + ε), b′ = (b − μ) · γ/√(σ² + ε) + β, rounded once: this copy is made for other programs, whose sums differ from the
  /// engine's anyhow.
  private func folded(_ parameters: [ONNXSite.Parameter]) -> [ONNXSite.Parameter] {
    var (kernel, bias) = (parameters[0], parameters[1])
    let norm = parameters[2...].map { $0.values.map(Double.init) }
    let scales = (0..<filters).map { norm[0][$0] / (norm[3][$0] + Double(BatchNormalization.epsilon)).squareRoot() }
    let taps = self.kernel * self.kernel, each = kernel.values.count / filters
    for place in kernel.values.indices {
      let filter = form == .transposed ? place / taps % filters : place / each
      kernel.values[place] = Float(Double(kernel.values[place]) * scales[filter])
    }
    for filter in 0..<filters { bias.values[filter] = Float((Double(bias.values[filter]) - norm[2][filter]) * scales[filter] + norm[1][filter]) }
    return [kernel, bias]
  }
}

extension BatchNormalization: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String {
    let y = graph.add(
      "BatchNormalization", site.inputs + site.parameters.map { graph.add($0) }, [.real("epsilon", Self.epsilon)], layer: site.layer)
    return relu ? graph.add("Relu", [y], layer: site.layer) : y
  }
}

extension ReLU: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String { graph.add("Relu", site.inputs, layer: site.layer) }
}

extension Dropout: ONNXConvertible {
  /// In inference it does nothing.
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String { graph.add("Identity", site.inputs, layer: site.layer) }
}

extension MaxPool2: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String {
    graph.add("MaxPool", site.inputs, [.integers("kernel_shape", [2, 2]), .integers("strides", [2, 2])], layer: site.layer)
  }
}

extension Nearest2: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String { graph.addNearest2(site.inputs[0], layer: site.layer) }
}

extension Concatenation: ONNXConvertible {
  func convert(_ site: ONNXSite, into graph: inout ONNXGraph) -> String { graph.add("Concat", site.inputs, [.integer("axis", 1)], layer: site.layer) }
}
