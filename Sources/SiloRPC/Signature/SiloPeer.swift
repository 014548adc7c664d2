import ServiceContextModule

/// Which silo calls, proved by its signature. Interceptors leave it under ``SiloPeerKey`` for handlers.
public struct SiloPeer: Sendable, Hashable {
    /// nil for a call under the old `rpc0` scheme, whose one secret says nothing of who signs.
    public let source: SiloAddress?
    /// Id of the key that signed; `rpc0` for the old scheme.
    public let keyID: String

    public init(source: SiloAddress?, keyID: String) {
        self.source = source
        self.keyID = keyID
    }
}

/// `context.serviceContext[SiloPeerKey.self]`
public enum SiloPeerKey: ServiceContextKey {
    public typealias Value = SiloPeer
    public static var nameOverride: String? { "silo-peer" }
}
