// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that nobody who uses the library resolves SwiftProtobuf.
let package = Package(
    name: "swift-protobuf-example",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "scm-gateway", path: "../.."),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .target(
            name: "Greeter",
            dependencies: [
                .product(name: "RPC", package: "scm-gateway"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .testTarget(
            name: "GreeterTests",
            dependencies: [
                "Greeter",
                .product(name: "HTTPTransport", package: "scm-gateway"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
    ]
)
