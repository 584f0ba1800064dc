// swift-tools-version: 6.1
import PackageDescription

// The fuzzers: the rooms that read what others wrote, instrumented for libFuzzer, and one program with all targets.
// `../fuzz.py` builds and runs it; libFuzzer's runtime comes with the Swift toolchain. A package of its own, so that nobody
// who builds the program pays for it. `Rooms` is a link to the program's Sources.
let fuzzed: [SwiftSetting] = [.unsafeFlags(["-O", "-sanitize=fuzzer", "-whole-module-optimization", "-num-threads", "2"])]
let fuzzedC: [CSetting] = [.unsafeFlags(["-O1", "-fsanitize=fuzzer-no-link"])]
let plain: [SwiftSetting] = [.unsafeFlags(["-O", "-whole-module-optimization", "-num-threads", "2"])]
let plainC: [CSetting] = [.unsafeFlags(["-O2", "-fno-math-errno", "-Wno-psabi"])]
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")

func room(_ name: String, _ rooms: [Target.Dependency] = [], _ settings: [SwiftSetting] = fuzzed) -> Target {
  .target(name: name, dependencies: rooms, path: "Rooms/\(name)", swiftSettings: settings)
}
func roomC(_ name: String, _ rooms: [Target.Dependency] = [], _ settings: [CSetting] = plainC, links: [LinkerSetting] = []) -> Target {
  .target(name: name, dependencies: rooms, path: "Rooms/\(name)", cSettings: settings, linkerSettings: links)
}

let package = Package(
  name: "fuzz",
  dependencies: [
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    .package(url: "https://github.com/swiftcsv/SwiftCSV", exact: "0.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibYAML", path: "Rooms/CLibYAML", pkgConfig: "yaml-0.1"),
    .systemLibrary(name: "CZlib", path: "Rooms/CZlib", pkgConfig: "zlib"),
    roomC("CCurl", links: [.linkedLibrary("dl")]),
    roomC("CLibPNG", [], fuzzedC, links: [.linkedLibrary("png16")]),
    roomC("CLibTIFF", [], fuzzedC, links: [.linkedLibrary("dl")]),
    roomC("COpenBLAS", links: [.linkedLibrary("dl")]),
    roomC("CKernels", ["COpenBLAS"]),
    room("Diagnostics"),
    room("Files", ["Diagnostics", crypto], plain),
    room("ExperimentSpec", ["CLibYAML", "Diagnostics", orderedCollections]),
    room("TensorCore", [], plain),
    room("Ops", ["TensorCore", "CKernels"], plain),
    room("NetworkGraph", ["TensorCore", "Ops"], plain),
    room("Architectures", ["NetworkGraph"], plain),
    room("Imaging", ["CLibPNG", "CLibTIFF", "TensorCore", "Diagnostics", "Files", .product(name: "HeapModule", package: "swift-collections")]),
    room("Datasets", ["CCurl", "CZlib", "Diagnostics", "ExperimentSpec", "Files", "TensorCore", "Imaging", crypto]),
    room("ExperimentGraph", ["ExperimentSpec", crypto], plain),
    room("Schedule", ["ExperimentGraph"], plain),
    room("Engine", ["Diagnostics", "Files", "CKernels", "TensorCore", "Ops", "NetworkGraph", "Architectures", crypto]),
    room("Metrics", ["Imaging"], plain),
    room("Report", [
      "Diagnostics", "Files", "ExperimentSpec", "TensorCore", "NetworkGraph", "Imaging", orderedCollections, .product(name: "SwiftCSV", package: "SwiftCSV"),
      .product(name: "Subprocess", package: "swift-subprocess"),
    ]),
    .target(
      name: "TensorBoard", dependencies: ["Diagnostics", .product(name: "SwiftProtobuf", package: "swift-protobuf")], path: "Rooms/TensorBoard",
      exclude: ["event.proto"], swiftSettings: plain),
    .target(
      name: "Exchange", dependencies: [
        "CZlib", "Diagnostics", "Files", "TensorCore", "Imaging", "Ops", "NetworkGraph", "Architectures", "Engine", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ], path: "Rooms/Exchange", exclude: ["onnx.proto"], swiftSettings: plain),
    room("Runner", [
      "Diagnostics", "ExperimentSpec", "ExperimentGraph", "Schedule", "Datasets", "Files", "TensorCore", "Imaging", "Engine", "Ops", "NetworkGraph", "Architectures", "Metrics", "Report", "TensorBoard", "Exchange",
      orderedCollections, .product(name: "Subprocess", package: "swift-subprocess"),
    ]),
    .target(name: "CLibFuzzer", path: "Sources/CLibFuzzer"),
    .executableTarget(name: "fuzz", dependencies: [
      "CLibFuzzer", "CZlib", "Diagnostics", "Files", "ExperimentSpec", "ExperimentGraph", "Imaging", "Datasets", "Engine", "Architectures", "NetworkGraph", "Report", "Runner",
    ], path: "Sources/fuzz", swiftSettings: fuzzed),
  ]
)
