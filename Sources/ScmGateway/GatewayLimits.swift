/// Limits by name, for settings: bytes, counts or seconds.
extension ScmGatewayConfiguration {
    private enum Limit: Sendable {
        case count(any WritableKeyPath<ScmGatewayConfiguration, Int> & Sendable)
        case seconds(any WritableKeyPath<ScmGatewayConfiguration, Duration> & Sendable)
    }

    private static let limits: [String: Limit] = [
        "gitCommandTimeout": .seconds(\.git.commandTimeout),
        "gitProcessorTime": .seconds(\.git.commandProcessorTime),
        "maximumCommandMemoryByteCount": .count(\.git.maximumCommandMemoryByteCount),
        "maximumWrittenFileByteCount": .count(\.git.maximumWrittenFileByteCount),
        "maximumOutputByteCount": .count(\.git.maximumOutputByteCount),
        "maximumObjectByteCount": .count(\.git.maximumObjectByteCount),
        "maximumFileByteCount": .count(\.git.maximumFileByteCount),
        "maximumSearchMemoryByteCount": .count(\.git.maximumSearchMemoryByteCount),
        "maximumConcurrentCommands": .count(\.git.maximumConcurrentCommands),
        "maximumConcurrentCommandsPerRepository": .count(\.git.maximumConcurrentCommandsPerRepository),
        "maximumQueuedCommands": .count(\.git.maximumQueuedCommands),
        "maximumObjectReaders": .count(\.git.maximumObjectReaders),
        "maximumObjectReadersPerRepository": .count(\.git.maximumObjectReadersPerRepository),
        "blameCacheByteCount": .count(\.blameCacheByteCount),
        "resultCacheByteCount": .count(\.git.resultCacheByteCount),
        "maximumMirrorByteCount": .count(\.mirrors.maximumByteCount),
        "maximumConcurrentTransfers": .count(\.mirrors.maximumConcurrentTransfers),
        "maximumMirrorMemoryByteCount": .count(\.mirrors.maximumMemoryByteCount),
        "mirrorProbeTimeout": .seconds(\.mirrors.probeTimeout),
        "mirrorTransferTimeout": .seconds(\.mirrors.transferTimeout),
    ]

    /// What ``setLimit(_:to:)`` knows. Errors of calls name the same limits.
    public static var limitNames: [String] { limits.keys.sorted() }

    /// - Returns: false for a name that is none, or a value below 1; caches and files that git writes may be 0.
    public mutating func setLimit(_ name: String, to value: Double) -> Bool {
        let smallest: Double = name.hasSuffix("CacheByteCount") || name == "maximumWrittenFileByteCount" ? 0 : 1
        guard let limit = Self.limits[name], value >= smallest, value < 1e15 else { return false }
        switch limit {
        case .count(let path): self[keyPath: path] = Int(value)
        case .seconds(let path): self[keyPath: path] = .seconds(value)
        }
        return true
    }
}
