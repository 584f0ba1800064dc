import Diagnostics

/// What a file of trained weights says of how an image becomes a mask: the network, the preparation, the tiles and what is done with
/// the probabilities, by dotted key.
extension TrialSettings {
  /// The keys that decide a mask, given the weights; drop-out, λ and the training have done their work.
  private static func decidesMasks(_ key: String) -> Bool {
    if ["model.l2", "model.dropout", "evaluate.on", "evaluate.timing_passes"].contains(key) { return false }
    return ["patches.size", "train.precision"].contains(key) || ["model.", "preprocess.", "evaluate."].contains { key.hasPrefix($0) }
  }

  /// Each such key's canonical text; a key without effect is left out.
  public var stated: [String: String] {
    let keys = KeyTable.keys.filter { Self.decidesMasks($0.name) && $0.withoutEffect(in: self) == nil }
    return Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.value(in: self).text) })
  }

  /// The settings that `texts` state, under `overrides` (`--set`), over the key table's defaults; and notes on overrides without effect.
  ///
  /// - Parameters:
  ///   - texts: what `stated` gave.
  ///   - file: where they stand, for errors.
  /// - Throws: `UserError`: exit 6 where a text is not one of a known key's, exit 2 where an override is wrong or the network is nowhere named.
  public static func reading(
    _ texts: [String: String], of file: String, overrides: [(key: String, value: String)]
  ) throws(UserError) -> (settings: TrialSettings, notes: [Diagnostic]) {
    let location = SourceLocation(file: file, line: 1, column: 1)
    var stated: Settings = [:]
    for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
      guard let key = KeyTable[name], let value = key.accepted.value(of: Scalar(text)) else {
        throw UserError("\(file): damaged: states \(name) \(text), which this program does not know", exitCode: .damagedData)
      }
      stated[name] = Setting(key: key, content: .value(value), origin: .file(location))
    }
    guard (Array(texts.keys) + overrides.map(\.key)).contains("model.architecture") else {
      throw UserError(
        "\(file): does not say which network its weights are of", exitCode: .badCommandOrSpec,
        hints: ["say it: --set model.architecture=unet+ --set model.base_filters=8, and what else differs from the defaults"])
    }
    let findings = Findings(), reader = SpecReader(findings: findings)
    var set: Settings = [:]
    for (key, value) in overrides { if let setting = reader.override(key, value) { set[key] = setting } }
    let document = SpecDocument(location: location, settings: stated)
    let (trials, notes) = Resolver(document: document, isComplete: true, overrides: set, findings: findings).trials()
    try findings.throwIfAny()
    return (trials[0].settings, findings.sorted(notes))
  }
}
