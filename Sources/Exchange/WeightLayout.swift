import Engine
import NetworkGraph

/// How another framework calls a network's weights and lays them out: the one place that says so, for export, import and the printed map.
public enum WeightLayout: String, Sendable, Hashable, CaseIterable {
  /// A module `<layer>.conv` (`Conv2d`, `ConvTranspose2d`) and, where there is batch norm, `<layer>.norm` (`BatchNorm2d`): kernels
  /// [Cout, Cin, k, k], transposed [Cin, Cout, k, k]. These are our own axes.
  case pytorch
  /// Layers `<layer>` (`Conv2D`, `Conv2DTranspose`) and `<layer>_norm` (`BatchNormalization`), weights by their paths: kernels [k, k, Cin, Cout],
  /// transposed [k, k, Cout, Cin].
  case keras

  /// Its name in messages.
  public var title: String { self == .pytorch ? "PyTorch" : "Keras" }

  /// What stands behind the layer's name, by our role (`kernel` of `C11.kernel`).
  private static let endings: [String: (pytorch: String, keras: String)] = [
    "kernel": (".conv.weight", "/kernel"),
    "bias": (".conv.bias", "/bias"),
    "gamma": (".norm.weight", "_norm/gamma"),
    "beta": (".norm.bias", "_norm/beta"),
    "moving_mean": (".norm.running_mean", "_norm/moving_mean"),
    "moving_variance": (".norm.running_var", "_norm/moving_variance"),
  ]

  /// `C11.kernel` → `C11.conv.weight` or `C11/kernel`.
  public func name(of parameter: Network.Parameter) -> String {
    let role = parameter.declaration.name, layer = parameter.name.dropLast(role.count + 1)
    guard let ending = Self.endings[role] else { preconditionFailure("no other framework's name for \(parameter.name): add its role to the table") }
    return layer + (self == .pytorch ? ending.pytorch : ending.keras)
  }

  /// Our axes in its order: plain and transposed kernels move alike, for both sides swap what their channels are called.
  private var axes: [Int]? { self == .pytorch ? nil : [2, 3, 1, 0] }

  /// Its shape of a weight of ours.
  public func shape(of parameter: Network.Parameter) -> [Int] {
    let shape = parameter.declaration.shape
    guard let axes, shape.count == 4 else { return shape }
    return axes.map { shape[$0] }
  }

  /// Our values in its order.
  public func values(of parameter: Network.Parameter, ours: [Float]) -> [Float] {
    guard let order = order(of: parameter) else { return ours }
    return order.map { ours[$0] }
  }

  /// Its values in our order.
  public func ours(_ values: [Float], of parameter: Network.Parameter) -> [Float] {
    guard let order = order(of: parameter) else { return values }
    var ours = values
    for (place, own) in order.enumerated() { ours[own] = values[place] }
    return ours
  }

  /// By place in its order, the place in ours; nil where they are one.
  private func order(of parameter: Network.Parameter) -> [Int]? {
    let shape = parameter.declaration.shape
    guard let axes, shape.count == 4 else { return nil }
    let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1]
    let (sides, steps) = (axes.map { shape[$0] }, axes.map { strides[$0] })
    var order: [Int] = []
    order.reserveCapacity(parameter.declaration.count)
    for a in 0..<sides[0] {
      for b in 0..<sides[1] {
        for c in 0..<sides[2] { for d in 0..<sides[3] { order.append(a * steps[0] + b * steps[1] + c * steps[2] + d * steps[3]) } }
      }
    }
    return order
  }
}
