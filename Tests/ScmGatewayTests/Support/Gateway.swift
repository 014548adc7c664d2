import FrameCodec
import Foundation
import Logging
import RPC
import ScmAPI
import ServiceContextModule
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

/// A service over a database in a temporary folder, with two organizations.
final class Gateway: Sendable {
    let folder: String
    let database: Database
    let service: ScmGatewayService
    let first: Int64
    let second: Int64

    init(
        logger: Logger = Logger(label: "scm"), configure: (inout ScmGatewayConfiguration) -> Void = { _ in }
    ) async throws {
        folder = TestRepository.temporaryFolder()
        database = try Database.open(
            path: folder + "/data/gateway.sqlite", migrations: SiloSchema.migrations + ScmGatewaySchema.migrations
        )
        var configuration = ScmGatewayConfiguration()
        configuration.repositoryCacheLifetime = .zero
        configure(&configuration)
        service = try ScmGatewayService(configuration: configuration, database: database, logger: logger)
        let organizations = OrganizationStore(database)
        first = try await organizations.create(slug: "first").id
        second = try await organizations.create(slug: "second").id
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func context(
        _ method: MethodDescriptor = ScmServiceMethod.getRepository,
        organizationID: Int64? = nil,
        scopes: Set<Scope> = Set(Scope.allCases),
        metadata: Metadata = Metadata()
    ) -> CallContext {
        var context = ServiceContext.topLevel
        context[PrincipalKey.self] = Principal(
            organizationID: organizationID ?? first, keyID: 1, scopes: scopes
        )
        return CallContext(method: method, metadata: metadata, serviceContext: context)
    }

    func add(_ repository: TestRepository, organizationID: Int64? = nil) async throws -> Int64 {
        try await RepositoryStore(database).add(path: repository.path, organizationID: organizationID ?? first).id
    }

    /// What is remembered for 24 hours is forgotten.
    func letADayPass() async throws {
        try await database.write {
            _ = try $0.execute("UPDATE idempotent_requests SET created_at = created_at - 86400001")
        }
    }

    func blame(_ request: BlameFileRequest, context: CallContext? = nil) async throws -> [BlameHunk] {
        let collected = Collected<BlameHunk>()
        try await service.blameFile(
            request, responses: ResponseWriter { collected.append($0) }, context: context ?? self.context()
        )
        return collected.values
    }
}

/// What was logged, as `MESSAGE key=value ...`, keys sorted.
final class KeptLog: Sendable {
    private let kept = Box<[String]>([])
    var lines: [String] { kept.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: KeptLog
        var logLevel = Logger.Level.info
        var metadata = Logger.Metadata()
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            log.kept.withLock { $0.append("\(event.message)" + facts.joined()) }
        }
    }
}

/// What a streamed answer held.
final class Collected<Element: Sendable>: Sendable {
    private let storage = Box<[Element]>([])
    func append(_ element: Element) { storage.withLock { $0.append(element) } }
    var values: [Element] { storage.withLock { $0 } }
}

/// Expects an error with a status, a reason and, where given, a field.
func expectError<R>(
    _ code: StatusCode,
    _ reason: String? = nil,
    field: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> R
) async {
    do {
        _ = try await body()
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
    } catch let error as RPCError {
        #expect(error.code == code, "\(error.message)", sourceLocation: sourceLocation)
        if let reason {
            let info = error.detail(GoogleRPC.ErrorInfo.self)
            #expect(info?.reason == reason, "\(error.message)", sourceLocation: sourceLocation)
            #expect(info?.domain == "scm", sourceLocation: sourceLocation)
        }
        if let field {
            let violation = error.detail(GoogleRPC.BadRequest.self)?.fieldViolations.first
            #expect(violation?.field == field, sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("not an RPCError: \(error)", sourceLocation: sourceLocation)
    }
}
