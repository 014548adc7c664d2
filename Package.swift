// swift-tools-version: 6.2

import PackageDescription

#if canImport(Glibc)
    import Glibc
#endif

/// Every target of ours: Swift 6 language mode comes from the tools version; warnings are errors.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]
/// What runs on event loops. An async function stays on its caller's executor: a call that never suspends costs no
/// executor switch.
let served = strict + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
/// How the server is linked for production. All of this is memory that an idle server does not use
/// (docs/performance.md): lld lays sections out by what they are; a program needs no table of its own symbols for
/// others to link to; 100,000 addresses that only depend on where the program was loaded take two bits each instead of
/// 24 bytes. The last needs a loader that knows it: glibc 2.36.
let compactExecutable: [LinkerSetting] = {
    var flags = ["-use-ld=lld", "-Xlinker", "--no-export-dynamic"]
    #if canImport(Glibc)
        var name = [CChar](repeating: 0, count: 64)
        confstr(Int32(_CS_GNU_LIBC_VERSION), &name, name.count)
        let version = String(cString: name).split { " .".contains($0) }.compactMap { Int($0) }  // "glibc 2.36"
    if !version.lexicographicallyPrecedes([2, 36]) { flags += ["-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"] }
    #endif
    return [.unsafeFlags(flags, .when(platforms: [.linux], configuration: .release))]
}()
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceContext = Target.Dependency.product(name: "ServiceContextModule", package: "swift-service-context")

let package = Package(
    name: "scm-gateway",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "FrameCodec", targets: ["FrameCodec"]),
        .library(name: "Compression", targets: ["Compression"]),
        .library(name: "HTTPTransport", targets: ["HTTPTransport"]),
        .library(name: "RPC", targets: ["RPC"]),
        .library(name: "Operations", targets: ["Operations"]),
        .library(name: "SiloRPC", targets: ["SiloRPC"]),
        .library(name: "SiloTestKit", targets: ["SiloTestKit"]),
        .library(name: "ScmAPI", targets: ["ScmAPI"]),
        .library(name: "ScmGateway", targets: ["ScmGateway"]),
        .executable(name: "scm-gateway", targets: ["scm-gateway"]),
        .executable(name: "protoc-gen-framecodec", targets: ["protoc-gen-framecodec"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-service-context", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Ground floor: bytes <-> messages. No I/O, no Foundation.
        .target(name: "FrameCodec", dependencies: ["CBase64"], swiftSettings: strict),
        // Its one inner loop that needs instructions which Swift does not choose at run time.
        .target(name: "CBase64"),

        // Limits of processes that run already: one function that Swift does not import.
        .target(name: "CProcessLimits"),

        // System libraries.
        .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),

        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // Content codings: gzip, deflate, zstd, with caps on what comes out.
        .target(name: "Compression", dependencies: ["CZlib", "CZstd"], swiftSettings: strict),

        // Sockets <-> HTTP exchanges.
        .target(
            name: "HTTPTransport",
            dependencies: ["Compression", "CNGHTTP2", "COpenSSL", log] + nio,
            swiftSettings: served
        ),

        // HTTP exchanges <-> calls.
        .target(
            name: "RPC",
            dependencies: ["FrameCodec", "Compression", "HTTPTransport", log, serviceContext, nio[0]],
            swiftSettings: served
        ),

        // What an operator needs: health, metrics, reflection, access log, administration.
        .target(
            name: "Operations",
            dependencies: ["RPC", "FrameCodec", "HTTPTransport", log, nio[0]],
            swiftSettings: served
        ),

        // Rows in a SQL database.
        .target(
            name: "Storage",
            dependencies: [.product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict
        ),

        // Which silo owns what, and who may call.
        .target(
            name: "SiloRPC",
            dependencies: [
                "RPC", "Storage", "FrameCodec", "HTTPTransport", "COpenSSL", log, serviceContext, nio[0],
            ],
            swiftSettings: served
        ),

        // Control and two cells in one process, for tests of silo services.
        .target(
            name: "SiloTestKit", dependencies: ["SiloRPC", "Storage", "RPC", "HTTPTransport", nio[0]],
            swiftSettings: served
        ),

        // Generated from Protos/ by scripts/generate.
        .target(name: "ScmAPI", dependencies: ["FrameCodec", "RPC"], swiftSettings: served),

        // Source control as a service.
        .target(
            name: "ScmGateway",
            dependencies: [
                "SiloRPC", "ScmAPI", "RPC", "HTTPTransport", "FrameCodec", "Storage", "COpenSSL", "CProcessLimits", log,
                serviceContext, nio[0],
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: served
        ),

        // The page for people: files that become part of the program.
        .target(
            name: "WebConsole",
            dependencies: ["RPC", "HTTPTransport", nio[0]],
            resources: [
                "app.js", "blame.js", "commits.js", "describe.js", "dom.js", "files.js", "icon.svg",
                "index.html", "json.js", "methods.js", "protobuf.js", "repositories.js", "rpc.js", "search.js",
                "style.css"
            ].map { .embedInCode("Pages/\($0)") },
            swiftSettings: served
        ),
        .executableTarget(
            name: "scm-gateway",
            dependencies: [
                "WebConsole", "ScmGateway", "ScmAPI", "SiloRPC", "Storage", "Operations", "RPC", "HTTPTransport",
                "FrameCodec", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict,
            linkerSettings: compactExecutable
        ),

        // The Swift program of docs/tutorial.md.
        .executableTarget(
            name: "who-wrote", dependencies: ["ScmAPI", "RPC"], path: "examples/tutorial/swift", swiftSettings: strict
        ),

        // The Swift program of README.md.
        .executableTarget(
            name: "blame-readme", dependencies: ["ScmAPI", "RPC"], path: "examples/readme", swiftSettings: strict
        ),

        // .proto -> Swift.
        .target(name: "FrameCodecGenerator", dependencies: ["FrameCodec"], swiftSettings: strict),
        .executableTarget(
            name: "protoc-gen-framecodec",
            dependencies: ["FrameCodecGenerator", "FrameCodec"],
            swiftSettings: strict
        ),

        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "FrameCodec", "HTTPTransport", "Operations", "RPC", "ScmAPI", "ScmGateway", "SiloRPC", "Storage", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            path: "Benchmarks",
            exclude: ["Peers", "ServerPeers"],
            swiftSettings: served
        ),

        // What Tests/Attacks attacks.
        .executableTarget(
            name: "attack-server",
            dependencies: [
                "RPC", "HTTPTransport", "FrameCodec", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            path: "Tests/Attacks/Server",
            swiftSettings: served
        ),

        // A silo that books in the others' ledgers, for Tests/Clients to kill.
        .executableTarget(
            name: "silo-node",
            dependencies: ["SiloRPC", "RPC", "HTTPTransport", "FrameCodec", "Storage", log] + nio,
            path: "Tests/SiloNode",
            exclude: ["Protos"],
            swiftSettings: served
        ),

        // Speaks protobuf's conformance protocol; driven by the Python beside it.
        .executableTarget(
            name: "ConformanceTestee",
            dependencies: ["FrameCodec", "RPC", "ScmAPI"],
            path: "Tests/Conformance/Testee",
            swiftSettings: strict
        ),

        // A server that says exactly what a test of a client wants.
        .target(
            name: "ScriptedPeer", dependencies: ["CNGHTTP2"] + nio, path: "Tests/ScriptedPeer", swiftSettings: strict
        ),

        .testTarget(name: "FrameCodecTests", dependencies: ["FrameCodec"], swiftSettings: strict),
        .testTarget(
            name: "FrameCodecGeneratorTests",
            dependencies: ["FrameCodecGenerator", "FrameCodec"],
            swiftSettings: strict
        ),
        .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: strict),
        .testTarget(
            name: "HTTPTransportTests",
            dependencies: [
                "HTTPTransport", "ScriptedPeer", "Compression", "CNGHTTP2", log,
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + nio,
            swiftSettings: strict
        ),
        .testTarget(
            name: "RPCTests",
            dependencies: ["ScriptedPeer", "RPC", "Compression", "FrameCodec", "HTTPTransport", log, serviceContext]
                + nio,
            swiftSettings: strict
        ),
        // The public gRPC interoperability tests, as programs.
        .target(
            name: "InteropContract", dependencies: ["FrameCodec", "RPC"], path: "Tests/Interop/Contract",
            swiftSettings: served
        ),
        .executableTarget(
            name: "InteropServer",
            dependencies: [
                "InteropContract", "RPC", "HTTPTransport", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            path: "Tests/Interop/Server",
            swiftSettings: served
        ),
        .executableTarget(
            name: "InteropClient",
            dependencies: [
                "InteropContract", "RPC", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            path: "Tests/Interop/Client",
            swiftSettings: served
        ),

        .testTarget(
            name: "OperationsTests",
            dependencies: ["Operations", "RPC", "FrameCodec", "HTTPTransport", log] + nio,
            swiftSettings: strict
        ),
        .testTarget(name: "StorageTests", dependencies: ["Storage"], swiftSettings: strict),
        .testTarget(
            name: "SiloRPCTests",
            dependencies: [
                "SiloRPC", "SiloTestKit", "RPC", "HTTPTransport", "FrameCodec", "Storage", serviceContext, log,
            ] + nio,
            exclude: ["Protos"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ScmGatewayTests",
            dependencies: [
                "ScmGateway", "ScmAPI", "SiloTestKit", "SiloRPC", "RPC", "FrameCodec", "Storage", "HTTPTransport", log,
                serviceContext
            ] + nio,
            swiftSettings: strict
        ),
    ]
)
