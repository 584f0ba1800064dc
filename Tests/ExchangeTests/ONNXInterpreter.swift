import Foundation
import TensorCore

@testable import Exchange

/// The few operators of ONNX that exported networks are made of, from the standard's own definitions, in plain loops and double precision: what is checked here
/// owes nothing to the engine. (`Tests/Oracles/export_check.py` asks onnxruntime and OpenVINO.)
struct ONNXInterpreter {
  private var values: [String: Tensor<Double>] = [:]
  private var weights: [String: [Double]] = [:]
  private var shapes: [String: [Int]] = [:]

  /// The value called `output`, of a graph whose inputs are given by name.
  static func run(_ graph: Onnx_GraphProto, _ inputs: [String: Tensor<Double>], output: String) -> Tensor<Double> {
    var interpreter = ONNXInterpreter()
    interpreter.values = inputs
    for weight in graph.initializer {
      precondition(weight.dataType == Int32(Onnx_TensorProto.DataType.float.rawValue))
      let floats = weight.rawData.withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) } }
      interpreter.weights[weight.name] = floats.map(Double.init)
      interpreter.shapes[weight.name] = weight.dims.map(Int.init)
    }
    for node in graph.node {
      precondition(node.output.count == 1 && interpreter.values[node.output[0]] == nil, "\(node.name) writes what stands already")
      interpreter.values[node.output[0]] = interpreter.value(of: node)
    }
    return interpreter.values[output]!
  }

  private func value(of node: Onnx_NodeProto) -> Tensor<Double> {
    let inputs = node.input.compactMap { values[$0] }, x = inputs[0]
    let integers = Dictionary(uniqueKeysWithValues: node.attribute.map { ($0.name, $0.ints.map(Int.init)) })
    let texts = Dictionary(uniqueKeysWithValues: node.attribute.map { ($0.name, String(decoding: $0.s, as: UTF8.self)) })
    func map(_ f: (Double) -> Double) -> Tensor<Double> { Tensor(images: x.images, shape: x.shape, values: x.values.map(f)) }
    switch node.opType {
    case "Identity": return x
    case "Relu": return map { max(0, $0) }
    case "Sigmoid": return map { 1 / (1 + exp(-$0)) }
    case "Concat":
      precondition(node.attribute[0].i == 1)
      return filled(x.images, FeatureShape(inputs.reduce(0) { $0 + $1.shape.channels }, x.shape.height, x.shape.width)) { n, c, i, j in
        var channel = c
        let part = inputs.first { input in
          if channel < input.shape.channels { return true }
          channel -= input.shape.channels
          return false
        }!
        return part[n, channel, i, j]
      }
    case "MaxPool":
      precondition(integers["kernel_shape"] == [2, 2] && integers["strides"] == [2, 2])
      return filled(x.images, FeatureShape(x.shape.channels, (x.shape.height - 2) / 2 + 1, (x.shape.width - 2) / 2 + 1)) { n, c, i, j in
        max(max(x[n, c, 2 * i, 2 * j], x[n, c, 2 * i, 2 * j + 1]), max(x[n, c, 2 * i + 1, 2 * j], x[n, c, 2 * i + 1, 2 * j + 1]))
      }
    case "Resize":
      precondition(texts["mode"] == "nearest" && texts["coordinate_transformation_mode"] == "asymmetric" && texts["nearest_mode"] == "floor")
      precondition(weights[node.input[2]] == [1, 1, 2, 2])
      return filled(x.images, FeatureShape(x.shape.channels, 2 * x.shape.height, 2 * x.shape.width)) { n, c, i, j in x[n, c, i / 2, j / 2] }
    case "BatchNormalization":
      let p = node.input[1...].map { weights[$0]! }, epsilon = Double(node.attribute.first { $0.name == "epsilon" }!.f)
      return filled(x.images, x.shape) { n, c, i, j in (x[n, c, i, j] - p[2][c]) / (p[3][c] + epsilon).squareRoot() * p[0][c] + p[1][c] }
    case "Conv", "ConvTranspose":
      return convolution(
        x, weights[node.input[1]]!, shapes[node.input[1]]!, weights[node.input[2]]!, strides: integers["strides"]!, pads: integers["pads"]!,
        transposed: node.opType == "ConvTranspose")
    default: preconditionFailure("\(node.opType) is not interpreted")
    }
  }

  private func convolution(
    _ x: Tensor<Double>, _ w: [Double], _ shape: [Int], _ b: [Double], strides: [Int], pads: [Int], transposed: Bool
  ) -> Tensor<Double> {
    let (height, width, kh, kw) = (x.shape.height, x.shape.width, shape[2], shape[3])
    precondition(shape[transposed ? 0 : 1] == x.shape.channels, "\(shape) does not take \(x.shape)")
    // Both as the standard gives the output's sides.
    let rows = transposed ? strides[0] * (height - 1) + kh - pads[0] - pads[2] : (height + pads[0] + pads[2] - kh) / strides[0] + 1
    let columns = transposed ? strides[1] * (width - 1) + kw - pads[1] - pads[3] : (width + pads[1] + pads[3] - kw) / strides[1] + 1
    return filled(x.images, FeatureShape(shape[transposed ? 1 : 0], rows, columns)) { n, o, i, j in
      var sum = b[o]
      for c in 0..<x.shape.channels {
        for u in 0..<kh {
          for v in 0..<kw {
            var (row, column) = (i * strides[0] + u - pads[0], j * strides[1] + v - pads[1])
            if transposed {
              (row, column) = (i + pads[0] - u, j + pads[1] - v)
              guard row % strides[0] == 0, column % strides[1] == 0 else { continue }
              (row, column) = (row / strides[0], column / strides[1])
            }
            guard (0..<height).contains(row), (0..<width).contains(column) else { continue }
            let place = transposed ? (c * shape[1] + o) * kh * kw : (o * shape[1] + c) * kh * kw
            sum += x[n, c, row, column] * w[place + u * kw + v]
          }
        }
      }
      return sum
    }
  }

  private func filled(_ images: Int, _ shape: FeatureShape, _ value: (Int, Int, Int, Int) -> Double) -> Tensor<Double> {
    var y = Tensor<Double>(images: images, shape: shape)
    for n in 0..<images {
      for c in 0..<shape.channels { for i in 0..<shape.height { for j in 0..<shape.width { y[n, c, i, j] = value(n, c, i, j) } } }
    }
    return y
  }
}
