import RPC
import Synchronization

/// Lets one organization have only so many calls running at a time, so that it cannot take every handler of the server
/// away from the others.
///
/// Stands behind ``APIKeyInterceptor``, which says whose call it is. A call counts until its handler has returned,
/// whatever its client does meanwhile.
public struct OrganizationShareInterceptor: ServerInterceptor {
    private let maximum: Int
    private let running = RunningCalls()

    public init(maximumRunningCalls: Int) {
        maximum = maximumRunningCalls
    }

    /// Calls that were refused since the start.
    public var refusedCallCount: Int { running.refused }

    /// - Throws: `RPCError` RESOURCE_EXHAUSTED.
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        guard let organization = try begin(context) else { return try await next(call, context) }
        defer { running.end(organization) }
        try await next(call, context)
    }

    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        _ = try begin(context)
        return true
    }

    public func didReturn(_ call: ServerCall, context: CallContext) {
        if let organization = Self.organization(context) { running.end(organization) }
    }

    private static func organization(_ context: CallContext) -> Int64? {
        if let known = context.caller as? KnownKey { return known.principal?.organizationID }
        return context.serviceContext[PrincipalKey.self]?.organizationID
    }

    /// Takes a place; nil for a call of nobody, which needs none.
    private func begin(_ context: CallContext) throws -> Int64? {
        guard let organization = Self.organization(context) else { return nil }
        guard running.begin(organization, maximum) else {
            throw RPCError(
                .resourceExhausted,
                "this organization has runningCallsPerOrganization = \(maximum) calls running; wait for one to end",
                details: [GoogleRPC.ErrorInfo(reason: "TOO_MANY_CALLS", domain: "scm")]
            )
        }
        return organization
    }
}

/// Calls of each organization that have begun and not ended.
final class RunningCalls: Sendable {
    /// An organization without calls keeps its entry for the next one, until there are many such.
    private struct State {
        var counts: [Int64: Int] = [:]
        var refused = 0
        var sweepCount = 1024

        mutating func sweep() {
            counts = counts.filter { $0.value > 0 }
            sweepCount = max(1024, counts.count * 2)
        }
    }

    private let state = Mutex(State())

    var refused: Int { state.withLock { $0.refused } }
    /// Organizations that have an entry.
    var knownCount: Int { state.withLock { $0.counts.count } }

    func begin(_ organization: Int64, _ maximum: Int) -> Bool {
        state.withLock { state in
            guard Self.take(&state.counts[organization, default: 0], maximum) else {
                state.refused += 1
                return false
            }
            if state.counts.count > state.sweepCount { state.sweep() }
            return true
        }
    }

    private static func take(_ count: inout Int, _ maximum: Int) -> Bool {
        guard count < maximum else { return false }
        count += 1
        return true
    }

    func end(_ organization: Int64) {
        state.withLock { state in
            state.counts[organization, default: 1] -= 1
        }
    }
}
