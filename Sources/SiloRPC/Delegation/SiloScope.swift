import NIOCore
import RPC
import Storage

/// What a task that serves or makes calls hands to the calls it makes: when it must be done, who acts, and the key that
/// makes repeats of it one call.
///
/// One task-local value for all of that, because each costs the calls that set it, and those that look.
public struct SiloScope: Sendable {
    /// When the work that this task is part of must be done; calls made meanwhile end by then.
    public var deadline: NIODeadline?
    /// Given to the next idempotent call instead of a random key, so that a caller that starts again after a crash
    /// repeats the same call. 1 to 48 printable ASCII characters.
    public var idempotencyKey: String?
    /// The silo whose call this task serves, verified; nil for everything else.
    public internal(set) var source: SiloAddress?
    /// Who acts; calls made by this task carry it along.
    public var viewer = SiloViewer()

    /// This task's.
    @TaskLocal public static var current = SiloScope()

    init() {}

    /// What the service of a call is told. A key is for the call that it was given to, not for those that it causes.
    ///
    /// - Throws: ``SiloError/validation(code:message:)`` for a viewer that is none.
    init(serving call: SiloInboundCall, deadline: NIODeadline?) throws(SiloError) {
        self.deadline = deadline
        source = call.source
        if let text = call.viewer { viewer = try SiloViewer(text: text) }
    }

    /// Runs `operation` in this task's scope as `change` leaves it.
    public static func with<R>(
        _ change: (inout SiloScope) -> Void, operation: () async throws -> R
    ) async rethrows -> R {
        var scope = current
        change(&scope)
        return try await $current.withValue(scope, operation: operation)
    }

    /// Runs `body` in this scope, and no longer than the operator of this side allows; cancelled when time is up.
    ///
    /// - Throws: `RPCError` DEADLINE_EXCEEDED; what `body` throws.
    func within<R: Sendable>(
        _ limit: Duration, _ method: SiloMethod, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let own = NIODeadline.now() + TimeAmount(limit)
        let end = deadline.map { min($0, own) } ?? own
        let late = RPCError(.deadlineExceeded, "\(method.key) took longer than its timeout here, \(limit)")
        var scope = self
        scope.deadline = end
        return try await Self.$current.withValue(scope) {
            try await withThrowingTaskGroup(of: R.self) { group in
                group.addTask { try await body() }
                group.addTask {
                    try await Task.sleep(for: Duration(end - .now()))
                    throw late
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw late }
                return first
            }
        }
    }

    /// The key of a call that this task makes.
    func idempotencyKey(of method: SiloMethod) -> String? {
        switch method.idempotency {
        case .readOnly: nil
        case .idempotent, .once: idempotencyKey ?? Self.randomKey()
        }
    }

    /// 32 hexadecimal digits.
    private static func randomKey() -> String {
        let digits = Array("0123456789abcdef".utf8)
        let bytes = SecureRandom.bytes(16).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A call waits for another machine; a transaction that waits for it blocks every writer of this one.
    static func checkNoTransaction(_ method: SiloMethod) throws(SiloError) {
        guard !Database.isInTransaction else {
            throw .forbidden("\(method.key) was called inside an open transaction; call before it, or after its commit")
        }
    }
}

extension SiloCall {
    func redirected(to destination: SiloAddress) -> SiloCall {
        SiloCall(
            method: method, destination: destination, organizationID: organizationID, body: body, deadline: deadline,
            idempotencyKey: idempotencyKey, metadata: metadata
        )
    }
}
