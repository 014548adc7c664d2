// swift-tools-version: 6.2

import PackageDescription

// grpc-swift-2 with its NIO transport as a peer of the server benchmark, apart from the root package so that nobody
// else resolves it. `scripts/benchmark-server-peers` generates Sources/GRPCSwiftServer/Generated, builds and runs.
let package = Package(
    name: "grpc-swift-server",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.1"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    ],
    targets: [
        .executableTarget(
            name: "GRPCSwiftServer",
            dependencies: [
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        )
    ]
)
