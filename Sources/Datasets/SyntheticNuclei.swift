import Diagnostics
import ExperimentSpec
import Imaging

/// Fluorescent nuclei made in memory, the same for the same settings: see `Synthetic`.
public struct SyntheticNuclei: Dataset {
  public static let source = DataSettings.Source.synthetic
  public let settings: DataSettings

  public init(_ settings: DataSettings, root: String = "") { self.settings = settings }

  public func inspect(threads: Int) throws -> Inspection {
    let (train, test) = (settings.syntheticTrain, settings.syntheticTest)
    let entries = try parallelMap(count: train + test, threads: threads) { i in
      let part: DatasetItem.Part = i < train ? .training : .test
      let scene = Synthetic.image(index: i < train ? i : i - train, part: part, settings)
      let id = Synthetic.id(i < train ? i : i - train, part)
      return Inspection.Entry(id: id, part: part, image: scene.image, objects: scene.truth.count)
    }
    let recipe = "synthetic \(Synthetic.version) \(train) \(test) \(settings.syntheticSide) \(settings.syntheticSeed)"
    return Inspection(
      training: Array(entries.prefix(train)), test: Array(entries.dropFirst(train)), digest: FileDigests.sha256(Array(recipe.utf8)))
  }

  public func image(_ item: DatasetItem) throws -> DecodedImage { scene(item).image }
  public func truth(_ item: DatasetItem) throws -> Truth { scene(item).truth }

  private func scene(_ item: DatasetItem) -> Synthetic.Scene {
    guard let index = Synthetic.index(ofID: item.id) else { preconditionFailure("\(item.id) is no id of a synthetic image") }
    return Synthetic.image(index: index, part: item.part, settings)
  }
}
