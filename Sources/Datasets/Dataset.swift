import Diagnostics
import ExperimentSpec
import Imaging

/// Images with their truth: an index of training and test items, and the loading of each.
///
/// A dataset is one file with one conforming type, and one line in `DatasetRegistry.types`.
public protocol Dataset: Sendable {
  /// The value of `data.source` that names it.
  static var source: DataSettings.Source { get }
  /// Opens the data at `root` (ignored by datasets made in memory). Throws `UserError` where the layout is not there or its tables are wrong.
  init(_ settings: DataSettings, root: String) throws
  var settings: DataSettings { get }

  /// Reads every image and checks every mask file. Throws `UserError` with the file (and line) at fault.
  func inspect(threads: Int) throws -> Inspection
  func image(_ item: DatasetItem) throws -> DecodedImage
  func truth(_ item: DatasetItem) throws -> Truth
}

/// One image of a dataset.
public struct DatasetItem: Sendable, Hashable, Codable {
  public enum Part: String, Sendable, Hashable, Codable { case training, test }
  public var id: String
  public var part: Part
  /// Pixels.
  public var height: Int
  public var width: Int
  /// Annotated nuclei; for masks that are images of regions, their number.
  public var objects: Int
  public init(id: String, part: Part, height: Int, width: Int, objects: Int) {
    (self.id, self.part, self.height, self.width, self.objects) = (id, part, height, width, objects)
  }
}

/// The images that an experiment uses, in order: by id, so that an item's position is a stable key for random draws.
public struct DatasetIndex: Sendable, Hashable, Codable {
  public var training: [DatasetItem]
  public var test: [DatasetItem]
  /// Images that `data.selection` leaves out, training and test together.
  public var excluded: Int
  /// See `Inspection.digest`.
  public var digest: String
  public init(training: [DatasetItem], test: [DatasetItem], excluded: Int, digest: String) {
    (self.training, self.test, self.excluded, self.digest) = (training, test, excluded, digest)
  }
}

/// An image's truth, `[height, width]` both.
public struct Truth: Sendable, Equatable {
  /// Union of the annotated nuclei.
  public var mask: Mask
  /// One label for each annotated nucleus; where annotations overlap, the earlier keeps the pixel.
  public var labels: LabelImage
  /// Annotated nuclei, also those that others cover wholly.
  public var count: Int
  public init(mask: Mask, labels: LabelImage, count: Int) { (self.mask, self.labels, self.count) = (mask, labels, count) }
  init(labels: LabelImage, count: Int) { self.init(mask: labels.map { $0 == 0 ? 0 : 1 }, labels: labels, count: count) }
}

/// What reading a whole dataset shows, before anything is selected.
public struct Inspection: Sendable {
  public struct Entry: Sendable {
    public var item: DatasetItem
    /// R = G = B at every pixel.
    public var isGray: Bool
    /// Mean of all samples as a fraction of full scale.
    public var meanIntensity: Double
    public init(item: DatasetItem, isGray: Bool, meanIntensity: Double) {
      (self.item, self.isGray, self.meanIntensity) = (item, isGray, meanIntensity)
    }
  }
  public var training: [Entry]
  public var test: [Entry]
  /// SHA-256 (hexadecimal) over names and contents of all files of the dataset, wherever it stands: of the text that
  /// `find * -type f | LC_ALL=C sort | xargs sha256sum` prints in its folder.
  public var digest: String
  public init(training: [Entry], test: [Entry], digest: String) {
    (self.training, self.test, self.digest) = (training, test, digest)
  }

  /// Throws `UserError` where the selection leaves no image to train on or to test with.
  public func index(_ selection: DataSettings.Selection) throws -> DatasetIndex {
    let used = (training: training.filter { selection.contains($0) }, test: test.filter { selection.contains($0) })
    for (part, all, kept) in [("training", training, used.training), ("test", test, used.test)] where kept.isEmpty {
      let message = all.isEmpty ? "the data has no \(part) images" : "data.selection: \(selection.rawValue) leaves none of the \(all.count) \(part) images"
      throw UserError(message, exitCode: .inputOrOutputFailed, hints: all.isEmpty ? [] : ["use every image: data.selection: all"])
    }
    return DatasetIndex(
      training: used.training.map(\.item), test: used.test.map(\.item),
      excluded: training.count + test.count - used.training.count - used.test.count, digest: digest)
  }
}

extension DataSettings.Selection {
  /// Grey images whose mean is at or above this are bright-field: in DSB2018 those lie above 200/255, every other grey image below 90/255 (PAPER.md).
  static let brightFieldMean = 200.0 / 255

  func contains(_ entry: Inspection.Entry) -> Bool {
    switch self {
    case .all: true
    case .grey: entry.isGray
    case .greyDark: entry.isGray && entry.meanIntensity < Self.brightFieldMean
    }
  }
}

extension Dataset {
  /// The items that `data.selection` keeps.
  public func index(threads: Int) throws -> DatasetIndex { try inspect(threads: threads).index(settings.selection) }
}

/// The datasets there are, and where their files are looked for.
public enum DatasetRegistry {
  static let types: [any Dataset.Type] = [
    DSB2018.self,
    ImageFolder.self,
    SyntheticNuclei.self,
  ]

  /// The dataset that `settings` names. `commandLineRoot` is `--data`. Throws `UserError` (exit 5) where its files are nowhere.
  public static func open(
    _ settings: DataSettings, commandLineRoot: String? = nil, environment: [String: String]
  ) throws -> any Dataset {
    guard let type = types.first(where: { $0.source == settings.source }) else {
      preconditionFailure("data.source \(settings.source.rawValue) has no line in the registry")
    }
    let root = settings.source == .synthetic ? "" : try locate(settings, commandLineRoot: commandLineRoot, environment: environment)
    return try type.init(settings, root: root)
  }
}
