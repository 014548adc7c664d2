// swift-tools-version: 6.2

import PackageDescription

// The heavy peers of the codec benchmarks, apart from the root package so that nobody else builds them.
// `scripts/benchmark-peers` generates Sources/*/Generated, builds and runs.
let package = Package(
    name: "benchmark-peers",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "scm-gateway", path: "../.."),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    ],
    targets: [
        // The messages of scm.proto are generated into it without services, so that the server need not be built.
        .executableTarget(
            name: "FrameCodecPeer",
            dependencies: [.product(name: "FrameCodec", package: "scm-gateway")]
        ),
        .executableTarget(
            name: "SwiftProtobufPeer",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")]
        ),
    ]
)
