import FrameCodec
import RPC
import Storage

/// `silo.keys.v1.KeyService` over one database. Acts for every organization: serve it behind a key with the scope
/// ``Scope/admin`` only, never without one.
public struct KeyAdministration: KeyService {
    public static let serviceName = "silo.keys.v1.KeyService"
    private static let maximumPageSize = 1000
    private static let standardOverlap: Int64 = 24 * 3600
    private static let maximumOverlap: Int64 = 90 * 24 * 3600

    private let keys: APIKeyStore
    private let audit: AuditLog
    private let changed: @Sendable (Set<Int64>) -> Void

    /// - Parameter changed: told of keys that end earlier than before, for ``APIKeyInterceptor/forget(_:)``.
    public init(keys: APIKeyStore, audit: AuditLog, changed: @escaping @Sendable (Set<Int64>) -> Void = { _ in }) {
        self.keys = keys
        self.audit = audit
        self.changed = changed
    }

    public func createKey(
        _ request: KeyAPI.CreateKeyRequest, context: CallContext
    ) async throws -> KeyAPI.CreateKeyResponse {
        let caller = try Self.caller(context)
        var new = NewAPIKey(
            organizationID: request.organizationID == 0 ? caller.organizationID : request.organizationID,
            name: request.name, scopes: try Self.scopes(request.scopes),
            expiresAt: try request.expiresAt.map { try Self.milliseconds($0) },
            isSigning: request.use == .signature
        )
        if request.callsPerMinute != 0 { new.callsPerMinute = Int(request.callsPerMinute) }
        let (key, text) = try await mappingErrors { [new] in try await keys.create(new) }
        return KeyAPI.CreateKeyResponse(key: .init(key), text: text)
    }

    public func listKeys(
        _ request: KeyAPI.ListKeysRequest, context: CallContext
    ) async throws -> KeyAPI.ListKeysResponse {
        _ = try Self.caller(context)
        let size = try Self.pageSize(request.pageSize)
        let after = try Self.position(request.pageToken) ?? 0
        let rows = try await mappingErrors {
            try await keys.list(organizationID: request.organizationID, after: after, limit: size + 1)
        }
        let page = rows.prefix(size)
        return KeyAPI.ListKeysResponse(
            keys: page.map(KeyAPI.ApiKey.init),
            nextPageToken: rows.count > size ? page.last.map { "\($0.id)" } ?? "" : ""
        )
    }

    public func rotateKey(
        _ request: KeyAPI.RotateKeyRequest, context: CallContext
    ) async throws -> KeyAPI.RotateKeyResponse {
        _ = try Self.caller(context)
        let seconds = request.overlap?.seconds ?? Self.standardOverlap
        guard (0...Self.maximumOverlap).contains(seconds) else {
            throw RPCError(.invalidArgument, "overlap: 0 to \(Self.maximumOverlap) seconds")
        }
        let rotated = try await mappingErrors {
            try await keys.rotate(id: request.keyID, overlap: seconds * 1000)
        }
        changed([request.keyID])
        return KeyAPI.RotateKeyResponse(
            key: .init(rotated.key), text: rotated.text, oldKeyExpiresAt: rotated.old.expiresAt.map(Self.timestamp)
        )
    }

    public func expireKey(
        _ request: KeyAPI.ExpireKeyRequest, context: CallContext
    ) async throws -> KeyAPI.ExpireKeyResponse {
        _ = try Self.caller(context)
        let end = try request.expiresAt.map { try Self.milliseconds($0) }
        let key = try await mappingErrors { try await keys.expire(id: request.keyID, at: end) }
        changed([request.keyID])
        return KeyAPI.ExpireKeyResponse(key: .init(key))
    }

    public func revokeKey(
        _ request: KeyAPI.RevokeKeyRequest, context: CallContext
    ) async throws -> KeyAPI.RevokeKeyResponse {
        _ = try Self.caller(context)
        try await mappingErrors { try await keys.revoke(id: request.keyID) }
        changed([request.keyID])
        return KeyAPI.RevokeKeyResponse()
    }

    public func listAuditEntries(
        _ request: KeyAPI.ListAuditEntriesRequest, context: CallContext
    ) async throws -> KeyAPI.ListAuditEntriesResponse {
        _ = try Self.caller(context)
        let size = try Self.pageSize(request.pageSize)
        let before = try Self.position(request.pageToken)
        let filter = try Self.filter(request)
        let rows = try await mappingErrors { try await audit.list(filter, before: before, limit: size + 1) }
        let page = rows.prefix(size)
        return KeyAPI.ListAuditEntriesResponse(
            entries: page.map(KeyAPI.AuditEntry.init),
            nextPageToken: rows.count > size ? page.last.map { "\($0.id)" } ?? "" : ""
        )
    }

    // MARK: Requests

    private static let maximumFilterByteCount = 500

    private static func filter(_ request: KeyAPI.ListAuditEntriesRequest) throws(RPCError) -> AuditFilter {
        for text in [request.method, request.outcome, request.subject]
        where text.utf8.count > maximumFilterByteCount || text.utf8.contains(0) {
            throw RPCError(.invalidArgument, "a filter has at most \(maximumFilterByteCount) bytes and no NUL")
        }
        for time in [request.since, request.until].compactMap(\.self) where !time.isValid {
            throw RPCError(.invalidArgument, "since and until must be valid timestamps")
        }
        func milliseconds(_ time: Protobuf.Timestamp?) -> Int64? {
            time.map { $0.seconds * 1000 + Int64($0.nanos) / 1_000_000 }
        }
        var filter = AuditFilter(organizationID: request.organizationID, keyID: request.keyID)
        (filter.method, filter.outcome, filter.subject) = (request.method, request.outcome, request.subject)
        (filter.since, filter.until) = (milliseconds(request.since), milliseconds(request.until))
        return filter
    }

    /// Looked at here again: a service that makes keys must not depend on how it is mounted.
    private static func caller(_ context: CallContext) throws(RPCError) -> Principal {
        guard let principal = context.serviceContext[PrincipalKey.self] else {
            throw RPCError(.unauthenticated, "this call needs an API key")
        }
        guard principal.scopes.contains(.admin) else {
            throw RPCError(.permissionDenied, "the API key lacks the scope \(Scope.admin.rawValue)")
        }
        return principal
    }

    private static func scopes(_ names: [String]) throws(RPCError) -> Set<Scope> {
        var scopes: Set<Scope> = []
        for name in names {
            guard let scope = Scope(rawValue: name) else {
                throw RPCError(
                    .invalidArgument, "scopes: there are \(Scope.allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            scopes.insert(scope)
        }
        return scopes.isEmpty ? Scope.usual : scopes
    }

    private static func pageSize(_ size: Int32) throws(RPCError) -> Int {
        guard size >= 0 else { throw RPCError(.invalidArgument, "page_size: must not be negative") }
        return size == 0 ? 50 : min(Int(size), maximumPageSize)
    }

    private static func position(_ token: String) throws(RPCError) -> Int64? {
        guard !token.isEmpty else { return nil }
        guard let position = Int64(token), position >= 0 else {
            throw RPCError(.invalidArgument, "page_token: not a page token of this method")
        }
        return position
    }

    private static func milliseconds(_ time: Protobuf.Timestamp) throws(RPCError) -> Int64 {
        let (milliseconds, overflow) = time.seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow, (0...253_402_300_799_000).contains(milliseconds) else {
            throw RPCError(.invalidArgument, "expires_at: a time between 1970 and 9999")
        }
        return milliseconds + Int64(max(0, time.nanos) / 1_000_000)
    }

    private static func timestamp(_ milliseconds: Int64) -> Protobuf.Timestamp {
        Protobuf.Timestamp(
            seconds: milliseconds / 1000, nanos: Int32(truncatingIfNeeded: milliseconds % 1000) * 1_000_000)
    }

    private func mappingErrors<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as SiloError {
            throw RPCError(Self.code(of: error), error.description)
        } catch let error as StorageError {
            throw RPCError(error, otherwise: "the database cannot be used now")
        }
    }

    private static func code(of error: SiloError) -> StatusCode {
        if error.isNotFound { return .notFound }
        if error.isExisting { return .alreadyExists }
        return error.isWrongState ? .failedPrecondition : .invalidArgument
    }

    fileprivate static func optional(_ milliseconds: Int64?) -> Protobuf.Timestamp? { milliseconds.map(timestamp) }
}

extension KeyAPI.ApiKey {
    init(_ key: APIKey) {
        self.init()
        id = key.id
        organizationID = key.organizationID
        name = key.name
        prefix = key.prefix
        scopes = key.scopes.map(\.rawValue).sorted()
        use = key.isSigning ? .signature : .bearer
        callsPerMinute = Int32(clamping: key.callsPerMinute ?? 0)
        createdAt = KeyAdministration.optional(key.createdAt)
        lastUsedAt = KeyAdministration.optional(key.lastUsedAt)
        expiresAt = KeyAdministration.optional(key.expiresAt)
        isRevoked = !key.isActive
        replacesID = key.replacesID ?? 0
    }
}

extension KeyAPI.AuditEntry {
    init(_ entry: AuditEntry) {
        self.init()
        id = entry.id
        at = KeyAdministration.optional(entry.at)
        organizationID = entry.organizationID
        keyID = entry.keyID
        method = entry.method
        subject = entry.subject
        peer = entry.peer
        requestID = entry.requestID
        outcome = entry.outcome
        result = entry.result
    }
}
