/// Limits by name, for settings: bytes, counts or seconds.
extension ScmGatewayConfiguration {
    private enum Limit: Sendable {
        case count(any WritableKeyPath<ScmGatewayConfiguration, Int> & Sendable)
        case seconds(any WritableKeyPath<ScmGatewayConfiguration, Duration> & Sendable)
    }

    private static let limits: [String: Limit] = [
        "gitCommandTimeout": .seconds(\.git.commandTimeout),
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
        "mirrorProbeTimeout": .seconds(\.mirrors.probeTimeout),
        "mirrorTransferTimeout": .seconds(\.mirrors.transferTimeout),
    ]

    /// What ``setLimit(_:to:)`` knows. Errors of calls name the same limits.
    public static var limitNames: [String] { limits.keys.sorted() }

    /// - Returns: false for a name that is none, or a value below 1; caches may be 0.
    public mutating func setLimit(_ name: String, to value: Double) -> Bool {
        guard let limit = Self.limits[name], value >= (name.hasSuffix("CacheByteCount") ? 0 : 1), value < 1e15 else {
            return false
        }
        switch limit {
        case .count(let path): self[keyPath: path] = Int(value)
        case .seconds(let path): self[keyPath: path] = .seconds(value)
        }
        return true
    }
}
