import FrameCodec
import RPC
import Synchronization

/// Lets a key make only so many calls in a minute: a token bucket for each key, which holds the calls of ten seconds.
///
/// Stands behind ``APIKeyInterceptor``, which says whose call it is. Counts in this process only.
public struct KeyRateInterceptor: ServerInterceptor {
    private let standard: Int?
    private let buckets = TokenBuckets()

    /// - Parameter callsPerMinute: of keys that have no rate of their own; nil for as many as they like.
    public init(callsPerMinute: Int? = nil) {
        standard = callsPerMinute
    }

    /// - Throws: `RPCError` RESOURCE_EXHAUSTED with `RetryInfo`.
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        try admit(context)
        try await next(call, context)
    }

    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        try admit(context)
        return true
    }

    func admit(_ context: CallContext, now: ContinuousClock.Instant = .now) throws {
        guard let principal = context.serviceContext[PrincipalKey.self],
            let rate = principal.callsPerMinute ?? standard
        else { return }
        guard let wait = buckets.take(principal.keyID, callsPerMinute: rate, now: now) else { return }
        var error = RPCError(
            .resourceExhausted, "this API key may make callsPerMinute = \(rate) calls in a minute; wait a little",
            details: [
                GoogleRPC.ErrorInfo(
                    reason: "RATE_LIMITED", domain: "scm", metadata: ["callsPerMinute": String(rate)]
                ),
                GoogleRPC.RetryInfo(retryDelay: Protobuf.Duration(wait)),
            ]
        )
        error.retryPushback = wait
        throw error
    }
}

/// One bucket for each key that has called lately.
final class TokenBuckets: Sendable {
    static let maximumCount = 10_000

    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    private let buckets = Mutex<[Int64: Bucket]>([:])

    var count: Int { buckets.withLock { $0.count } }

    /// - Returns: nil when the call may go on, else how long to wait for the next token.
    func take(_ key: Int64, callsPerMinute: Int, now: ContinuousClock.Instant) -> Duration? {
        let rate = Double(callsPerMinute) / 60
        let size = max(1, rate * 10)
        return buckets.withLock { buckets in
            if buckets[key] == nil, buckets.count >= Self.maximumCount { Self.sweep(&buckets, now) }
            var bucket = buckets[key] ?? Bucket(tokens: size, filledAt: now)
            if now > bucket.filledAt {
                bucket.tokens = min(size, bucket.tokens + rate * ((now - bucket.filledAt) / .seconds(1)))
                bucket.filledAt = now
            }
            defer { buckets[key] = bucket }
            guard bucket.tokens >= 1 else { return .seconds((1 - bucket.tokens) / rate) }
            bucket.tokens -= 1
            return nil
        }
    }

    /// A bucket that nobody used for ten seconds is full again, and so is worth nothing. (At less than six calls a
    /// minute it takes longer; such a key may get a call too many when ten thousand keys call at once.)
    private static func sweep(_ buckets: inout [Int64: Bucket], _ now: ContinuousClock.Instant) {
        buckets = buckets.filter { now - $0.value.filledAt < .seconds(10) }
        guard buckets.count >= maximumCount else { return }
        // All are in use: those that were used longest ago go.
        let oldest = buckets.sorted { $0.value.filledAt < $1.value.filledAt }.prefix(maximumCount / 10)
        for (key, _) in oldest { buckets[key] = nil }
    }
}
