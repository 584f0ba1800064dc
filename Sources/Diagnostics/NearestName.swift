/// The known name a user most likely meant by `name`, or nil where none is close.
///
/// Closest by edit distance, within a third of the name's length. A dotted key is also found by its last part alone: `depth` for `model.depth`.
public func nearestName(to name: String, in known: some Sequence<String>) -> String? {
  guard !name.isEmpty, name.count <= 80 else { return nil }
  var best: (name: String, distance: Int)?
  var bySuffix: String?
  let length = name.count, lowercased = name.lowercased()
  for candidate in known {
    let farthest = max(1, min(length, candidate.count) / 3)
    // Lengths that lie further apart than the distance may be need no measuring: that costs their product.
    if abs(length - candidate.count) <= farthest {
      let distance = editDistance(lowercased, candidate.lowercased())
      if distance <= farthest, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    if bySuffix == nil, candidate.hasSuffix("." + name) { bySuffix = candidate }
  }
  return best?.name ?? bySuffix
}

/// Number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment).
func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a), b = Array(b)
  var before: [Int] = [], previous = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var cost = min(row[j] + 1, previous[j + 1] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
      row.append(cost)
    }
    (before, previous) = (previous, row)
  }
  return previous[b.count]
}
