import NIOCore
import RPC
import Storage

/// What a task that serves or makes calls hands to the calls it makes: when it must be done, and the key that makes
/// repeats of it one call.
public enum SiloScope {
    /// When the work that this task is part of must be done; calls made meanwhile end by then.
    @TaskLocal public static var deadline: NIODeadline?
    /// Given to the next idempotent call instead of a random key, so that a caller that starts again after a crash
    /// repeats the same call. 1 to 48 printable ASCII characters.
    @TaskLocal public static var idempotencyKey: String?

    /// The silo whose call this task serves, verified; nil for everything else.
    @TaskLocal public static var source: SiloAddress?

    /// Who acts; calls made by this task carry it along.
    @TaskLocal public static var viewer = SiloViewer()

    /// Runs `body` as the service of a call.
    static func serving<R>(
        _ source: SiloAddress?, _ viewer: SiloViewer, _ body: () async throws -> R
    ) async throws -> R {
        // What is as it should be is not set again.
        if idempotencyKey == nil, viewer == Self.viewer {
            return try await $source.withValue(source, operation: body)
        }
        return try await $source.withValue(source) {
            // A key is for the call that it was given to, not for those that it causes.
            try await $idempotencyKey.withValue(nil) { try await $viewer.withValue(viewer, operation: body) }
        }
    }

    /// Runs `body` no longer than the operator of this side allows; cancelled when time is up.
    ///
    /// - Throws: `RPCError` DEADLINE_EXCEEDED; what `body` throws.
    static func within<R: Sendable>(
        _ limit: Duration, _ method: SiloMethod, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let own = NIODeadline.now() + TimeAmount(limit)
        let end = deadline.map { min($0, own) } ?? own
        let late = RPCError(.deadlineExceeded, "\(method.key) took longer than its timeout here, \(limit)")
        return try await $deadline.withValue(end) {
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

    static func idempotencyKey(of method: SiloMethod) -> String? {
        switch method.idempotency {
        case .readOnly: nil
        case .idempotent, .once: idempotencyKey ?? randomKey()
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
