// swift-tools-version: 6.1
import PackageDescription

// `swift run runner …` builds the debug configuration. The rooms where time is spent carry their own
// optimisation flags, so that plain `swift run` trains at release speed. Whole-module, because file by file no generic of
// another file is specialised (labelling regions takes 4 × as long); more than one thread, because with one the debug
// build's index store asks for a file name per source and the compiler stops.
let fastSwift: [SwiftSetting] = [.unsafeFlags(["-O", "-disable-batch-mode", "-whole-module-optimization", "-num-threads", "2"])]
let fastC: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno", "-ffp-contract=fast", "-Wno-psabi"])]

/// Swift's runtime and Foundation inside the program instead of beside it: with 9 libraries to find instead of 24, a start of 23 ms
/// becomes one of 15. The compiler names what the dynamic Foundation needs; the rest are the static one's own parts.
let staticSwift: [LinkerSetting] = [
  .unsafeFlags(["-static-stdlib"], .when(platforms: [.linux])),
] + ["CoreFoundation", "_FoundationCShims", "_FoundationCollections", "_FoundationICU"].map { .linkedLibrary($0, .when(platforms: [.linux])) }

/// A test target `<room>Tests` that sees `rooms`; `fixtures` are stored numbers from outside (scikit-image, Keras).
func tests(_ name: String, _ rooms: [Target.Dependency], fixtures: Bool = false) -> Target {
  .testTarget(name: name, dependencies: rooms + ["TestSupport"], resources: fixtures ? [.copy("Fixtures")] : [])
}

let package = Package(
  name: "runner",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "runner", targets: ["runner"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    .package(url: "https://github.com/swiftcsv/SwiftCSV", exact: "0.10.0"),
  ],
  targets: [
    // System libraries and C
    .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["libpng-dev"])]),
    .target(name: "CLibPNG", cSettings: fastC, linkerSettings: [.linkedLibrary("png16")]),
    .target(name: "CLibTIFF", cSettings: fastC, linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .target(name: "COpenBLAS", cSettings: fastC, linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .target(name: "CKernels", dependencies: ["COpenBLAS"], cSettings: fastC),

    // Rooms, in the order of the data's way; each imports only what stands above it
    .target(name: "Diagnostics"),
    .target(name: "Files", dependencies: ["Diagnostics", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "ExperimentSpec", dependencies: ["CLibYAML", "Diagnostics", .product(name: "OrderedCollections", package: "swift-collections")]),
    .target(name: "TensorCore", swiftSettings: fastSwift),
    .target(name: "Ops", dependencies: ["TensorCore", "CKernels"], swiftSettings: fastSwift),
    .target(name: "NetworkGraph", dependencies: ["TensorCore", "Ops"], swiftSettings: fastSwift),
    .target(name: "Architectures", dependencies: ["NetworkGraph"]),
    .target(name: "Imaging", dependencies: ["CLibPNG", "CLibTIFF", "TensorCore", "Diagnostics", "Files", .product(name: "HeapModule", package: "swift-collections")], swiftSettings: fastSwift),
    .target(name: "Datasets", dependencies: ["CCurl", "CZlib", "Diagnostics", "ExperimentSpec", "Files", "TensorCore", "Imaging", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: fastSwift),
    .target(name: "ExperimentGraph", dependencies: ["ExperimentSpec", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "Schedule", dependencies: ["ExperimentGraph"]),
    .target(name: "Engine", dependencies: ["Diagnostics", "Files", "CKernels", "TensorCore", "Ops", "NetworkGraph", "Architectures", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: fastSwift),
    .target(name: "Exchange", dependencies: ["CZlib", "Diagnostics", "Files", "TensorCore", "Imaging", "Ops", "NetworkGraph", "Architectures", "Engine", .product(name: "SwiftProtobuf", package: "swift-protobuf")], exclude: ["onnx.proto"]),
    .target(name: "Metrics", dependencies: ["Imaging"], swiftSettings: fastSwift),
    .target(name: "Report", dependencies: ["Diagnostics", "Files", "ExperimentSpec", "TensorCore", "NetworkGraph", "Imaging", .product(name: "OrderedCollections", package: "swift-collections"), .product(name: "SwiftCSV", package: "SwiftCSV"), .product(name: "Subprocess", package: "swift-subprocess")], swiftSettings: fastSwift),
    .target(name: "TensorBoard", dependencies: ["Diagnostics", .product(name: "SwiftProtobuf", package: "swift-protobuf")], exclude: ["event.proto"]),
    .target(name: "Runner", dependencies: [
      "Diagnostics", "ExperimentSpec", "ExperimentGraph", "Schedule", "Datasets", "Files", "TensorCore", "Imaging", "Engine", "Ops", "NetworkGraph", "Architectures", "Metrics", "Report",
      "TensorBoard", "Exchange",
      .product(name: "OrderedCollections", package: "swift-collections"), .product(name: "Subprocess", package: "swift-subprocess"),
    ]),
    .executableTarget(
      name: "runner", dependencies: ["Diagnostics", "Runner", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      linkerSettings: staticSwift),

    .target(name: "TestSupport", dependencies: ["CKernels"], path: "Tests/TestSupport"),
    tests("DiagnosticsTests", ["Diagnostics", "Files"]),
    tests("ExperimentSpecTests", ["ExperimentSpec", "Diagnostics"], fixtures: true),
    tests("TensorCoreTests", ["TensorCore"]),
    tests("KernelTests", ["CKernels", "COpenBLAS"]),
    tests("OpsTests", ["Ops", "TensorCore"]),
    tests("NetworkTests", ["NetworkGraph", "Architectures", "Engine", "Ops", "TensorCore"], fixtures: true),
    tests("EngineTests", ["Engine", "Architectures", "Files", "NetworkGraph", "TensorCore"]),
    tests("ImagingTests", ["Imaging", "TensorCore", "Diagnostics"], fixtures: true),
    tests("DatasetsTests", ["Datasets", "CZlib", "Imaging", "ExperimentSpec", "Diagnostics", "Files"]),
    tests("ScheduleTests", ["Schedule", "ExperimentGraph", "ExperimentSpec"]),
    tests("MetricsTests", ["Metrics", "Imaging"], fixtures: true),
    tests("ReportTests", ["Report", "ExperimentSpec", "Imaging", "NetworkGraph", "Architectures", "TensorCore", "Diagnostics"], fixtures: true),
    tests("TensorBoardTests", ["TensorBoard"], fixtures: true),
    tests("ExchangeTests", ["CZlib", "Exchange", "Diagnostics", "Files", "TensorCore", "Ops", "NetworkGraph", "Architectures", "Engine", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    tests("HardInputTests", [
      "CZlib", "Diagnostics", "Files", "ExperimentSpec", "TensorCore", "Imaging", "Datasets", "ExperimentGraph", "NetworkGraph", "Architectures", "Engine", "Report", "Runner",
    ], fixtures: true),
    tests("CommandLineTests", []),
    tests("RunnerTests", ["Runner", "Architectures", "Engine", "Exchange", "Diagnostics", "ExperimentSpec", "ExperimentGraph", "Schedule", "Imaging", "Report"]),
  ]
)
