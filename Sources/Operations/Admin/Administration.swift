import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import Synchronization

/// `rpc.admin.v1.AdminService` over one server. Tells who is connected and switches methods off: serve it on an
/// administration listener only, or behind a key with the scope for it.
public final class Administration: AdminService {
    public static let serviceName = "rpc.admin.v1.AdminService"
    private static let defaultLimit = 1000
    private static let maximumLimit = 10_000
    private static let maximumReasonCount = 200

    private typealias Server = (http: HTTPServer, rpc: RPCServer)
    private let watched = Mutex<Server?>(nil)

    /// Answers UNAVAILABLE until ``begin(http:rpc:)``: it may be part of the very server that it looks into.
    public init() {}

    /// - Parameters:
    ///   - http: whose connections are shown.
    ///   - rpc: whose methods are shown and switched.
    public func begin(http: HTTPServer, rpc: RPCServer) {
        watched.withLock { $0 = (http, rpc) }
    }

    private func server() throws(RPCError) -> Server {
        guard let server = watched.withLock({ $0 }) else { throw RPCError(.unavailable, "the server is starting") }
        return server
    }

    public func listConnections(
        _ request: ListConnectionsRequest, context: CallContext
    ) async throws -> ListConnectionsResponse {
        let all = try await server().http.connections().sorted { $0.acceptedAt < $1.acceptedAt }
        let now = NIODeadline.now()
        return ListConnectionsResponse(
            connections: all.prefix(try Self.limit(request.limit)).map { Connection($0, now: now) },
            totalCount: Int64(all.count)
        )
    }

    public func listStreams(
        _ request: ListStreamsRequest, context: CallContext
    ) async throws -> ListStreamsResponse {
        let now = NIODeadline.now()
        let all = try await server().http.connections()
            .filter { request.connectionID == 0 || Int64($0.id) == request.connectionID }
            .flatMap { connection in connection.exchanges.map { (connection.id, $0) } }
            .sorted { $0.1.receivedAt < $1.1.receivedAt }
        return ListStreamsResponse(
            streams: all.prefix(try Self.limit(request.limit)).map { Stream($1, connectionID: $0, now: now) },
            totalCount: Int64(all.count)
        )
    }

    public func listMethods(
        _ request: ListMethodsRequest, context: CallContext
    ) async throws -> ListMethodsResponse {
        ListMethodsResponse(methods: try server().rpc.statistics.compactMap(Method.init).sorted { $0.path < $1.path })
    }

    public func setMethodEnabled(
        _ request: SetMethodEnabledRequest, context: CallContext
    ) async throws -> SetMethodEnabledResponse {
        guard request.reason.count <= Self.maximumReasonCount else {
            throw RPCError(.invalidArgument, "reason: at most \(Self.maximumReasonCount) characters")
        }
        let rpc = try server().rpc
        guard rpc.setMethod(request.path, isEnabled: request.isEnabled, reason: request.reason) else {
            throw RPCError(.notFound, "there is no method \"\(request.path.prefix(64))\"; write /service/method")
        }
        return SetMethodEnabledResponse(
            method: rpc.statistics.first { $0.method?.path == request.path }.flatMap(Method.init)
        )
    }

    private static func limit(_ asked: Int32) throws(RPCError) -> Int {
        guard asked >= 0 else { throw RPCError(.invalidArgument, "limit: must not be negative") }
        return asked == 0 ? defaultLimit : min(Int(asked), maximumLimit)
    }
}

extension Connection {
    fileprivate init(_ snapshot: HTTPConnectionSnapshot, now: NIODeadline) {
        self.init(
            id: Int64(snapshot.id), peer: snapshot.remoteAddress.map(AccessLog.peer) ?? "unknown",
            protocol: snapshot.protocolName, isTls: snapshot.isTLS, age: .init(since: snapshot.acceptedAt, now),
            streamCount: Int32(clamping: snapshot.exchanges.count), isDraining: snapshot.isDraining,
            requestCount: Int64(snapshot.requestCount),
            runningHandlerCount: Int32(clamping: snapshot.runningHandlerCount)
        )
    }
}

extension Stream {
    fileprivate init(_ snapshot: HTTPExchangeSnapshot, connectionID: Int, now: NIODeadline) {
        self.init(
            connectionID: Int64(connectionID), path: snapshot.path, age: .init(since: snapshot.receivedAt, now),
            receivedByteCount: Int64(snapshot.receivedByteCount), sentByteCount: Int64(snapshot.sentByteCount),
            timeLeft: snapshot.deadline.map { Protobuf.Duration(since: now, $0) },
            handlerState: .init(snapshot.handlerState)
        )
    }
}

extension Stream.HandlerState {
    fileprivate init(_ state: HTTPExchangeSnapshot.HandlerState) {
        self =
            switch state {
            case .waiting: .waiting
            case .running: .running
            case .cancelled: .cancelled
            case .returned: .returned
            }
    }
}

extension Method {
    /// nil for the entry of unknown paths.
    fileprivate init?(_ statistics: MethodStatistics) {
        guard let method = statistics.method else { return nil }
        let succeeded = statistics.finishedCounts[.ok] ?? 0
        self.init(
            path: method.path, isEnabled: statistics.isEnabled, startedCount: Int64(statistics.startedCount),
            succeededCount: Int64(succeeded), failedCount: Int64(statistics.finishedCount - succeeded),
            inFlightCount: Int64(statistics.inFlightCount)
        )
    }
}

extension Protobuf.Duration {
    /// Zero when `end` is not after `start`.
    fileprivate init(since start: NIODeadline, _ end: NIODeadline) {
        self.init(.nanoseconds(end > start ? (end - start).nanoseconds : 0))
    }
}
