import CKernels
import TensorCore

/// Two-dimensional convolution with bias over the concatenation of its inputs along channels, TensorFlow's "same" padding:
/// y[o,i,j] = b[o] + Σ x[c, s·i + u − p, s·j + v − p] · w[o,c,u,v].
///
/// Inputs are read where they stand: a concatenation in front of a convolution costs nothing (fusion pass). `form` also
/// covers the transposed convolution, which is this operation's gradient with respect to x, and a convolution of the
/// input enlarged twice by nearest neighbour, worked in four phases without the enlarged tensor
/// (9/16 of the multiply–adds for a 2 × 2 kernel, 4/9 for 3 × 3; 4/16 in `enlarged.c`).
public struct Convolution: Operation, Hashable {
  public enum Form: Sendable, Hashable { case plain, transposed, afterNearest2 }
  public var filters: Int
  public var kernel: Int
  public var stride: Int
  public var form: Form
  /// Fused: y = max(0, ·) in the store; backward masks dy by y > 0 as it reads it.
  public var relu: Bool
  /// Fused, training only, behind a ReLU: y = max(0, ·) ⊙ m/(1 − rate).
  public var dropout: Dropout?
  /// Fused, inference only: batch norm's moving statistics folded into kernel and bias.
  public var foldsBatchNorm: Bool

  public init(filters: Int, kernel: Int, stride: Int = 1, form: Form = .plain, relu: Bool = false, dropout: Dropout? = nil, foldsBatchNorm: Bool = false) {
    (self.filters, self.kernel, self.stride) = (filters, kernel, stride)
    (self.form, self.relu, self.dropout, self.foldsBatchNorm) = (form, relu, dropout, foldsBatchNorm)
  }

  public var kind: String {
    let name =
      switch form {
      case .plain: "convolution"
      case .transposed: "transposed convolution"
      case .afterNearest2: "nearest ×2 + convolution"
      }
    return "\(name) \(kernel)×\(kernel)" + (stride > 1 ? " stride \(stride)" : "")
      + (foldsBatchNorm ? " + batch norm" : "") + (relu ? " + ReLU" : "") + (dropout.map { " + " + $0.kind } ?? "")
  }

  public func inferShape(_ inputs: [FeatureShape]) throws(ShapeError) -> FeatureShape {
    guard let first = inputs.first else { throw ShapeError("\(kind) needs an input") }
    guard inputs.allSatisfy({ $0.height == first.height && $0.width == first.width }) else {
      throw ShapeError("cannot concatenate \(inputs.map(\.description).joined(separator: ", ")): their sides differ")
    }
    switch form {
    case .plain: return FeatureShape(filters, (first.height + stride - 1) / stride, (first.width + stride - 1) / stride)
    case .transposed: return FeatureShape(filters, first.height * stride, first.width * stride)
    case .afterNearest2: return FeatureShape(filters, first.height * 2, first.width * 2)
    }
  }

  public func parameters(_ inputs: [FeatureShape]) -> [ParameterDeclaration] {
    let channels = inputs.reduce(0) { $0 + $1.channels }
    // Keras counts a transposed kernel's fan-in by its [k, k, out, in] layout. The public U-Net++ code regularises its
    // convolutions and not its transposed ones; so does the published penalty at the start (0.36 at B = 16, λ = 1e-4).
    let transposed = form == .transposed
    let shape = transposed ? [channels, filters, kernel, kernel] : [filters, channels, kernel, kernel]
    var declared = [
      ParameterDeclaration(
        "kernel", shape, .heNormal(fanIn: (transposed ? filters : channels) * kernel * kernel), regularized: !transposed),
      ParameterDeclaration("bias", [filters], .constant(0)),
    ]
    if foldsBatchNorm { declared += BatchNormalization.declarations(channels: filters) }
    return declared
  }

  public func multiplyAdds(_ inputs: [FeatureShape]) -> Int {
    guard let output = try? inferShape(inputs), let first = inputs.first else { return 0 }
    let channels = inputs.reduce(0) { $0 + $1.channels }
    let positions = form == .transposed ? first.plane : output.plane
    return positions * channels * filters * kernel * kernel
  }

  public var savedForBackward: SavedValues { relu ? [.inputs, .output] : [.inputs] }
  /// From a single plane a convolution is little more than the writing of its output.
  public func isRecomputed(_ inputs: [FeatureShape]) -> Bool { form == .plain && inputs.count == 1 && inputs[0].channels == 1 }
  /// The weights' gradient comes first; the inputs' needs the weights alone.
  public var inputGradientReplaces: Replaceable { .input }

  /// TensorFlow's "same" padding before the first row: the total is split evenly, the odd one goes to the bottom.
  public static func padding(side: Int, kernel: Int, stride: Int) -> Int {
    max(((side + stride - 1) / stride - 1) * stride + kernel - side, 0) / 2
  }

  func geometry(_ inputs: [FeatureShape], images: Int, precision: Precision = .f32) -> ck_conv {
    let first = inputs[0]
    let output: FeatureShape
    do { output = try inferShape(inputs) } catch { preconditionFailure("compiled without a shape pass: \(error)") }
    // A transposed convolution pads as the convolution it is the gradient of, whose input is our output.
    let sides: (Int, Int) =
      switch form {
      case .plain: (first.height, first.width)
      case .transposed, .afterNearest2: (output.height, output.width)
      }
    return ck_conv(
      kind: form == .plain ? CK_CONV : form == .transposed ? CK_CONV_TRANSPOSED : CK_CONV_NEAREST2,
      images: Int32(images), in_channels: Int32(inputs.reduce(0) { $0 + $1.channels }), out_channels: Int32(filters),
      in_height: Int32(first.height), in_width: Int32(first.width),
      out_height: Int32(output.height), out_width: Int32(output.width),
      kernel: Int32(kernel), stride: Int32(stride),
      pad_top: Int32(Self.padding(side: sides.0, kernel: kernel, stride: stride)),
      pad_left: Int32(Self.padding(side: sides.1, kernel: kernel, stride: stride)),
      precision: precision == .bf16 ? CK_BFLOAT16 : CK_FLOAT32)
  }

  public func pairing(_ site: Site) -> Pairing {
    var geometry = geometry(site.inputs, images: site.images, precision: site.precision)
    guard ck_conv_takes_pairs(&geometry) != 0 else { return [] }
    return dropout.map { $0.worksOnPairs(site.output) } ?? true ? [.inputs, .output, .inputGradients, .outputGradient] : [.inputs, .inputGradients]
  }

  public func compile(_ site: Site) throws -> any CompiledOperation { try CompiledConvolution(self, site) }

  @_specialize(where Scalar == Double) @_specialize(where Scalar == Float)
  public func reference<Scalar>(_ inputs: [Tensor<Scalar>], _ parameters: [[Scalar]]) -> Tensor<Scalar> {
    var x = Concatenation().reference(inputs, [])
    if form == .afterNearest2 { x = Nearest2().reference([x], []) }
    let images = x.images, channels = x.shape.channels
    var y = Tensor<Scalar>(images: images, shape: try! inferShape(inputs.map(\.shape)))
    let g = geometry(inputs.map(\.shape), images: images)
    let (padTop, padLeft) = (Int(g.pad_top), Int(g.pad_left))
    let w = parameters[0], b = parameters[1]
    for n in 0..<images {
      for o in 0..<filters {
        for i in 0..<y.shape.height { for j in 0..<y.shape.width { y[n, o, i, j] = b[o] } }
        for c in 0..<channels {
          for u in 0..<kernel {
            for v in 0..<kernel {
              if form == .transposed {
                let weight = w[((c * filters + o) * kernel + u) * kernel + v]
                for i in 0..<x.shape.height {
                  let r = stride * i + u - padTop
                  guard r >= 0, r < y.shape.height else { continue }
                  for j in 0..<x.shape.width {
                    let s = stride * j + v - padLeft
                    if s >= 0, s < y.shape.width { y[n, o, r, s] += x[n, c, i, j] * weight }
                  }
                }
              } else {
                let weight = w[((o * channels + c) * kernel + u) * kernel + v]
                for i in 0..<y.shape.height {
                  let r = stride * i + u - padTop
                  guard r >= 0, r < x.shape.height else { continue }
                  for j in 0..<y.shape.width {
                    let s = stride * j + v - padLeft
                    if s >= 0, s < x.shape.width { y[n, o, i, j] += x[n, c, r, s] * weight }
                  }
                }
              }
            }
          }
        }
      }
    }
    if relu { y = ReLU().reference([y], []) }
    return dropout?.reference([y], []) ?? y
  }

  public static var samples: [OperationSample] {
    let plain = [(3, 1), (3, 2), (2, 1), (1, 1)].flatMap { kernel, stride in
      [(6, 8), (5, 7), (17, 19)].map { h, w in
        OperationSample(Convolution(filters: 3, kernel: kernel, stride: stride), [FeatureShape(2, h, w)])
      }
    }
    let transposed = [2, 3].flatMap { kernel in
      [(3, 4), (5, 3)].map { h, w in
        OperationSample(Convolution(filters: 3, kernel: kernel, stride: 2, form: .transposed), [FeatureShape(4, h, w)])
      }
    }
    let enlarged = [2, 3].flatMap { kernel in
      [(3, 4), (9, 5)].map { h, w in
        OperationSample(Convolution(filters: 2, kernel: kernel, form: .afterNearest2), [FeatureShape(3, h, w)])
      }
    }
    return plain + transposed + enlarged + [
      OperationSample(Convolution(filters: 4, kernel: 3, relu: true), [FeatureShape(2, 6, 7), FeatureShape(1, 6, 7), FeatureShape(3, 6, 7)]),
      OperationSample(Convolution(filters: 4, kernel: 3, relu: true, dropout: Dropout(rate: 0.25, layer: 5)), [FeatureShape(3, 6, 7)]),
      OperationSample(Convolution(filters: 17, kernel: 3, relu: true), [FeatureShape(16, 4, 4)], images: 3),
      OperationSample(Convolution(filters: 5, kernel: 3, stride: 2), [FeatureShape(2, 6, 8), FeatureShape(3, 6, 8)]),
      OperationSample(Convolution(filters: 16, kernel: 3), [FeatureShape(16, 16, 16)], images: 1),
    ]
  }
}

private final class CompiledConvolution: CompiledOperation {
  private var geometry: ck_conv
  private let operation: Convolution
  private let training: Bool
  private let output: FeatureShape
  private let packedForward: AlignedBuffer
  private let packedBackward: AlignedBuffer?
  private let folded: (kernel: AlignedBuffer, bias: AlignedBuffer)?

  init(_ operation: Convolution, _ site: Site) throws {
    self.operation = operation
    (training, output) = (site.training, site.output)
    geometry = operation.geometry(site.inputs, images: site.images, precision: site.precision)
    packedForward = try AlignedBuffer(count: ck_conv_forward_packed(&geometry))
    packedBackward = site.training && site.wantsInputGradient.contains(true)
      ? try AlignedBuffer(count: ck_conv_backward_data_packed(&geometry)) : nil
    folded = operation.foldsBatchNorm
      ? (try AlignedBuffer(count: operation.parameters(site.inputs)[0].count), try AlignedBuffer(count: operation.filters)) : nil
  }

  var scratch: Int {
    let forward = ck_conv_forward_scratch(&geometry)
    guard training else { return forward }
    return max(forward, ck_conv_backward_data_scratch(&geometry), ck_conv_backward_weights_scratch(&geometry))
  }
  var shared: Int { training ? ck_conv_backward_weights_partials(&geometry) : 0 }
  var resident: Int { packedForward.count + (packedBackward?.count ?? 0) + (folded?.kernel.count ?? 0) }

  func prepare(_ parameters: [UnsafeMutablePointer<Float>], backward: Bool) {
    var kernel = parameters[0]
    if let folded {
      fold(parameters, into: folded)
      kernel = folded.kernel.pointer
    }
    ck_conv_forward_pack(&geometry, kernel, packedForward.pointer)
    if backward, let packedBackward { ck_conv_backward_data_pack(&geometry, kernel, packedBackward.pointer) }
  }

  /// w′ = w · γ/√(σ² + ε), b′ = (b − μ) · γ/√(σ² + ε) + β, a filter at a time.
  private func fold(_ p: [UnsafeMutablePointer<Float>], into folded: (kernel: AlignedBuffer, bias: AlignedBuffer)) {
    let filters = operation.filters, each = folded.kernel.count / filters, taps = operation.kernel * operation.kernel
    for o in 0..<filters {
      let scale = p[2][o] / (p[5][o] + BatchNormalization.epsilon).squareRoot()
      folded.bias.pointer[o] = (p[1][o] - p[4][o]) * scale + p[3][o]
      for k in 0..<each {
        let at = operation.form == .transposed ? (k / taps * filters + o) * taps + k % taps : o * each + k
        folded.kernel.pointer[at] = p[0][at] * scale
      }
    }
  }

  func forward(_ frame: Frame) {
    let bias = folded?.bias.pointer ?? frame.parameters[1], packed = packedForward.pointer
    let relu: Int32 = operation.relu ? 1 : 0, slabs = Int32(frame.inputs.count)
    withUnsafePointer(to: &geometry) { g in
      frame.inputs.withUnsafeBufferPointer { inputs in
        frame.pool.run(tasks: Int(ck_conv_forward_tasks(g))) { task, thread in
          ck_conv_forward(g, Int32(task), inputs.baseAddress, slabs, packed, bias, relu, frame.output, frame.scratch[thread])
        }
      }
    }
    operation.dropout?.apply(frame, shape: output, from: frame.output, to: frame.output)
  }

  /// With drop-out, g = dy/(1 − rate) ⊙ [y > 0]: the factor is taken first, as drop-out by itself takes it, for the same bits.
  func backward(_ frame: Frame) {
    let y = operation.relu ? frame.output : Slab(data: nil, channels: 0, image_stride: 0)
    let dy = frame.outputGradient, slabs = Int32(frame.inputs.count)
    operation.dropout?.scale(dy, frame, shape: output)
    withUnsafePointer(to: &geometry) { g in
      frame.inputs.withUnsafeBufferPointer { inputs in
        frame.pool.run(tasks: Int(ck_conv_backward_weights_tasks(g))) { task, thread in
          ck_conv_backward_weights(g, Int32(task), inputs.baseAddress, slabs, dy, y, frame.shared, frame.scratch[thread])
        }
      }
      frame.pool.run(tasks: Int(ck_conv_backward_weights_reduce_tasks(g))) { task, _ in
        ck_conv_backward_weights_reduce(
          g, Int32(task), frame.shared, frame.parameterGradients[0], frame.parameterGradients[1], frame.accumulatesParameters ? 1 : 0)
      }
      guard let packed = packedBackward?.pointer else { return }
      frame.inputGradients.withUnsafeBufferPointer { gradients in
        frame.accumulates.withUnsafeBufferPointer { accumulates in
          frame.pool.run(tasks: Int(ck_conv_backward_data_tasks(g))) { task, thread in
            ck_conv_backward_data(
              g, Int32(task), dy, y, packed, gradients.baseAddress, accumulates.baseAddress, slabs, frame.scratch[thread])
          }
        }
      }
    }
  }
}
