// swift-tools-version: 6.2

import PackageDescription

// The public gRPC interoperability tests by grpc-swift-2 and its NIO transport, apart from the root package so that
// nobody who uses the library resolves them. `scripts/test --grpc-swift` builds and runs it.
let package = Package(
    name: "grpc-swift-peer",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "scm-gateway", path: "../../.."),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.1"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    ],
    targets: [
        // Messages by our codec (links to Tests/Interop/Contract): what meets here are the transports.
        .executableTarget(
            name: "GRPCSwiftPeer",
            dependencies: [
                .product(name: "FrameCodec", package: "scm-gateway"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]
        )
    ]
)
