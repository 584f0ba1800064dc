import Foundation

/// A graph of ONNX's messages that is being written, node after node; names are unique.
struct ONNXGraph {
  private(set) var message = Onnx_GraphProto()
  private var taken: Set<String> = []

  /// What a node is told beside its inputs.
  enum Attribute {
    case integer(String, Int), integers(String, [Int]), real(String, Float), text(String, String)

    fileprivate var message: Onnx_AttributeProto {
      .with {
        switch self {
        case .integer(let name, let value): ($0.name, $0.type, $0.i) = (name, .int, Int64(value))
        case .integers(let name, let values): ($0.name, $0.type, $0.ints) = (name, .ints, values.map(Int64.init))
        case .real(let name, let value): ($0.name, $0.type, $0.f) = (name, .float, value)
        case .text(let name, let value): ($0.name, $0.type, $0.s) = (name, .string, Data(value.utf8))
        }
      }
    }
  }

  /// Adds a node; its value and itself are called `<layer>.<operator>`.
  /// - Parameter output: another name for the value.
  /// - Returns: the name of its value.
  mutating func add(_ type: String, _ inputs: [String], _ attributes: [Attribute] = [], layer: String = "", output: String? = nil) -> String {
    let name = unique(layer.isEmpty ? type : "\(layer).\(type)")
    message.node.append(
      .with {
        ($0.name, $0.opType, $0.input, $0.output) = (name, type, inputs, [output ?? name])
        $0.attribute = attributes.map(\.message)
      })
    return output ?? name
  }

  /// Adds a weight under its own name.
  mutating func add(_ parameter: ONNXSite.Parameter) -> String {
    precondition(taken.insert(parameter.name).inserted, "two weights are called \(parameter.name)")
    message.initializer.append(
      .with {
        ($0.name, $0.dims, $0.dataType) = (parameter.name, parameter.shape.map(Int64.init), Int32(Onnx_TensorProto.DataType.float.rawValue))
        $0.rawData = parameter.values.withUnsafeBytes { Data($0) }
      })
    return parameter.name
  }

  /// y[i,j] = x[⌊i/2⌋, ⌊j/2⌋]. Both rules are stated: of the defaults ("half_pixel", "round_prefer_floor") some runtimes make another thing.
  mutating func addNearest2(_ x: String, layer: String) -> String {
    let scales = "nearest2.scales"
    if !taken.contains(scales) { _ = add(ONNXSite.Parameter(name: scales, shape: [4], values: [1, 1, 2, 2])) }
    return add(
      "Resize", [x, "", scales],
      [.text("mode", "nearest"), .text("coordinate_transformation_mode", "asymmetric"), .text("nearest_mode", "floor")], layer: layer)
  }

  /// States a float32 input or output of the whole graph.
  static func port(_ name: String, _ sides: [Side], about: String) -> Onnx_ValueInfoProto {
    .with {
      ($0.name, $0.docString) = (name, about)
      $0.type.tensorType.elemType = Int32(Onnx_TensorProto.DataType.float.rawValue)
      $0.type.tensorType.shape.dim = sides.map { side in
        .with {
          switch side {
          case .fixed(let value): $0.dimValue = Int64(value)
          case .open(let name): $0.dimParam = name
          }
        }
      }
    }
  }

  /// A side that is the same in every call, or one by name that is not.
  enum Side { case fixed(Int), open(String) }

  mutating func finish(name: String, about: String, inputs: [Onnx_ValueInfoProto], outputs: [Onnx_ValueInfoProto]) {
    (message.name, message.docString, message.input, message.output) = (name, about, inputs, outputs)
  }

  private mutating func unique(_ name: String) -> String {
    var (candidate, count) = (name, 1)
    while !taken.insert(candidate).inserted {
      count += 1
      candidate = "\(name)_\(count)"
    }
    return candidate
  }
}
