/// The folder that a path's last component stands in: "results" of "results/table1/", "" of "table1" (the working folder), "/" of "/table1",
/// ".." of "." (`NSString.deletingLastPathComponent` traps on paths of one character).
public func parentFolder(of path: String) -> String {
  var rest = path[...]
  while rest.count > 1, rest.hasSuffix("/") { rest.removeLast() }
  if rest == "/" { return "/" }
  let slash = rest.lastIndex(of: "/"), name = slash.map { rest[rest.index(after: $0)...] } ?? rest
  if name == "." || name == ".." || name.isEmpty { return name == "." && slash == nil || name.isEmpty ? ".." : "\(rest)/.." }
  guard let slash else { return "" }
  rest = rest[..<slash]
  while rest.count > 1, rest.hasSuffix("/") { rest.removeLast() }
  return rest.isEmpty ? "/" : String(rest)
}
