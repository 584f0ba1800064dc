import CLibFuzzer
import Foundation

// fuzz TARGET [OPTION…] [CORPUS…]: libFuzzer on one target, with libFuzzer's own options.
// fuzz --targets: their names. fuzz --seeds FOLDER: writes files to start from.
let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "--targets":
  print(targets.map(\.name).joined(separator: "\n"))
case "--seeds" where arguments.count == 3:
  for (target, inputs) in try seeds() {
    try FileManager.default.createDirectory(atPath: "\(arguments[2])/\(target)", withIntermediateDirectories: true)
    for (number, input) in inputs.enumerated() { try Data(input).write(to: URL(fileURLWithPath: "\(arguments[2])/\(target)/seed\(number)")) }
  }
case let name?:
  guard let target = targets.first(where: { $0.name == name }) else { fatalError("no target \(name); there are \(targets.map(\.name))") }
  chosen = target
  var count = Int32(arguments.count - 1)
  var words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = .allocate(capacity: arguments.count)
  for (place, word) in ([arguments[0]] + arguments.dropFirst(2)).enumerated() { words![place] = strdup(word) }
  words![arguments.count - 1] = nil
  exit(LLVMFuzzerRunDriver(&count, &words) { data, size in
    try? chosen.read(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
  })
case nil:
  fatalError("fuzz TARGET [OPTION…] [CORPUS…]; targets: \(targets.map(\.name))")
}
