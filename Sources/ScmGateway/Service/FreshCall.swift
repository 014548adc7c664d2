import RPC

/// A call that wants everything looked up anew: `x-scm-cache: no-store`.
///
/// It gets a memory of results of its own, which goes with it: what it needs twice is still found once. Nothing that
/// was kept before is used, and nothing of it is kept.
enum FreshCall {
    /// Of one such call, in bytes.
    private static let maximumByteCount = 8 * 1024 * 1024

    /// nil in all other calls.
    @TaskLocal static var results: ByteBoundedCache<CacheKey, CachedResult>?

    static var isRunning: Bool { results != nil }

    nonisolated(nonsending) static func run<R>(_ body: nonisolated(nonsending) () async throws -> R) async throws -> R {
        try await $results.withValue(ByteBoundedCache(limit: maximumByteCount)) { try await body() }
    }
}

extension ScmGatewayService {
    /// Runs `body` as the call's metadata wishes.
    nonisolated(nonsending) func honouringNoStore<R>(
        _ context: CallContext, _ body: nonisolated(nonsending) () async throws -> R
    ) async throws -> R {
        guard let wish = context.metadata["x-scm-cache"], Self.saysNoStore(wish) else { return try await body() }
        return try await FreshCall.run(body)
    }

    /// A list of words, as HTTP's `cache-control` has it; others have no meaning here.
    private static func saysNoStore(_ wish: String) -> Bool {
        wish.split(separator: ",").contains { $0.filter { $0 != " " }.lowercased() == "no-store" }
    }
}
