// swift-tools-version: 6.1
import PackageDescription

// The rooms of the house. Text flows down the list, and a room imports only rooms above it.
//
//   C doors -> Support -> Corpus, Tokenization, Shards, Model -> Stages, Training -> pkm-data, pkm-train

let swift: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .unsafeFlags(["-warnings-as-errors"]),
]
var kernels: [CSetting] = [
  .unsafeFlags([
    "-O3", "-fno-math-errno", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument",
  ])
]
#if arch(x86_64)
  // By itself clang keeps to 256 bits where a processor has 512, for the sake of those that ran slower with them.
  kernels.append(.unsafeFlags(["-mprefer-vector-width=512"]))
#endif
let cxx: [CXXSetting] = [.unsafeFlags(["-O3", "-Wall", "-Werror"])]

let algorithms: Target.Dependency = .product(name: "Algorithms", package: "swift-algorithms")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")

let package = Package(
  name: "pkm",
  products: [
    .executable(name: "pkm-data", targets: ["pkm-data"]),
    .executable(name: "pkm-train", targets: ["pkm-train"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    // Doors to libraries. A header that is missing stops the build with the command that installs it.
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CBrotli", pkgConfig: "libbrotlidec", providers: [.apt(["libbrotli-dev"])]),
    .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "CICU", dependencies: ["CBytes"], cxxSettings: cxx,
      linkerSettings: [.linkedLibrary("icui18n"), .linkedLibrary("icuuc"), .linkedLibrary("icudata")]),
    .target(
      name: "CSimdjson", cxxSettings: cxx, linkerSettings: [.linkedLibrary("simdjson")]),
    .target(
      name: "CFastText", cxxSettings: cxx, linkerSettings: [.linkedLibrary("fasttext")]),
    .target(name: "CBLAS", cSettings: kernels, linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "COneDNN", cSettings: kernels, linkerSettings: [.linkedLibrary("dl")]),
    // Short loops of our own, each compiled for several processors: over bytes, over pre-tokens, of the model.
    .target(name: "CBytes", cSettings: kernels),
    .target(name: "CPreTokens", dependencies: ["CBytes"], cSettings: kernels),
    .target(
      name: "CModelKernels", cSettings: kernels + [.headerSearchPath(".")],
      linkerSettings: [.linkedLibrary("m")]),

    .target(
      name: "Support",
      dependencies: [
        "CZstd", "CZlib", "CISAL", "CBrotli", "CXXHash", "CCrypto", "CBytes", algorithms, deque,
      ],
      swiftSettings: swift),
    // Parquet files as JSON records and back.
    .target(
      name: "Parquet", dependencies: ["Support", "CZstd", "CZlib", "CBrotli", "CSnappy", "CLZ4"],
      swiftSettings: swift),
    .target(
      name: "Corpus",
      dependencies: ["Support", "Parquet", "CICU", "CSimdjson", "CFastText", "CBytes", algorithms],
      swiftSettings: swift),
    .target(
      name: "Tokenization", dependencies: ["Support", "CBytes", "CPreTokens", "CICU", algorithms, heap],
      swiftSettings: swift),
    .target(name: "Shards", dependencies: ["Support", algorithms, deque], swiftSettings: swift),
    .target(
      name: "Model", dependencies: ["Support", "CBytes", "CModelKernels", "CBLAS", "COneDNN"],
      swiftSettings: swift),
    .target(
      name: "Training", dependencies: ["Model", "Shards", "Tokenization", "Support", algorithms],
      swiftSettings: swift),

    // The YAML of recipes, which both command lines read.
    .target(name: "Recipes", dependencies: ["Support", "Yams"], swiftSettings: swift),
    // What the commands of pkm-data do, and recipes that join them.
    .target(
      name: "Stages", dependencies: ["Corpus", "Tokenization", "Shards", "Recipes", "Support", "Yams"],
      swiftSettings: swift),

    // Flags, exit codes and the summary that both command lines share.
    .target(
      name: "Commands",
      dependencies: [
        "Support", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: swift),
    .executableTarget(
      name: "pkm-data",
      dependencies: ["Commands", "Stages", "Corpus", "Tokenization", "Shards"], swiftSettings: swift),
    .executableTarget(
      name: "pkm-train",
      dependencies: ["Commands", "Training", "Recipes", "Corpus", "Tokenization", "Shards", "Yams"],
      swiftSettings: swift),

    // What all test targets share.
    .target(
      name: "TestSupport", dependencies: ["Support", "Shards"], path: "Tests/TestSupport",
      swiftSettings: swift),
    .testTarget(
      name: "SupportTests", dependencies: ["Support", "CZstd", "TestSupport"], swiftSettings: swift),
    .testTarget(
      name: "ParquetTests", dependencies: ["Parquet", "CLZ4", "Support", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: swift),
    .testTarget(
      name: "CorpusTests", dependencies: ["Corpus", "Support", "CICU", "CBytes", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: swift),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "CPreTokens", "CICU", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: swift),
    .testTarget(
      name: "ShardsTests", dependencies: ["Shards", "Support", "TestSupport"], swiftSettings: swift),
    .testTarget(
      name: "ModelTests",
      dependencies: ["Model", "Support", "CModelKernels", "CBLAS", "COneDNN", "TestSupport"],
      swiftSettings: swift),
    // Counts allocations.
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Training", "Shards", "Model", "Support", "CAllocations", "TestSupport"],
      swiftSettings: swift),
    .testTarget(
      name: "CommandLineTests", dependencies: ["Support", "Shards", "pkm-data", "pkm-train", "TestSupport"],
      swiftSettings: swift),
  ]
)
