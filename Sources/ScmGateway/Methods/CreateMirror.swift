import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Synchronization

extension ScmGatewayService {
    /// Adds a copy of a remote repository: looks whether the remote can be read, stores the row, and begins to clone.
    /// The answer does not wait for the clone.
    func createMirror(
        _ request: CreateRepositoryRequest, _ memory: IdempotentRequest?, organizationID: Int64, _ context: CallContext
    ) async throws -> Repository {
        let remote = try Self.remote(request.identifier)
        if remote.scheme == "file" { try await checkFolder(of: remote) }
        let name = request.config["name"].flatMap { $0.isEmpty ? nil : $0 } ?? remote.defaultName
        let head: Revision?
        let gitFolder: String
        do {
            head = try await mirrors.look(at: remote)
            gitFolder = try await mirrors.newFolder()
        } catch let failure as MirrorFailure {
            if case .failed(let text) = failure {
                logger.warning("remote cannot be read", metadata: ["error": "\(text)"])
            }
            throw failure.rpcError
        }
        let branch = head.map { String($0.text.dropFirst("refs/heads/".count)) } ?? ""
        guard !request.validateOnly else {
            return try await validated(remote, name, request.config, branch, organizationID: organizationID)
        }
        let stored = Stored()
        let result = try await once(memory) { transaction in
            let old = try RepositoryRows.find(
                externalID: remote.text, organizationID: organizationID, transaction.reading
            )
            if let old, old.status != .hidden { throw Self.exists(old) }
            let row = if let old {
                try MirrorRows.reactivate(old, name: name, config: request.config, transaction)
            } else {
                try MirrorRows.insert(
                    remote, name: name, gitFolder: gitFolder, defaultBranch: branch, config: request.config,
                    organizationID: organizationID, transaction
                )
            }
            transaction.afterCommit {
                self.directory.forget(id: row.id, organizationID: organizationID)
                stored.set(row)
            }
            return Repository(row)
        }
        // nil when another call answered this request meanwhile.
        if let row = stored.row {
            _ = mirrors.start(row)
            noteRepositoryChange("added", row.id, organizationID: organizationID, context)
        }
        return result
    }

    private static func remote(_ identifier: String) throws(RPCError) -> RemoteAddress {
        do {
            return try RemoteAddress(identifier)
        } catch {
            guard case .invalidPath(let problem) = error else {
                throw RPCError.badField("identifier", "not an address")
            }
            throw RPCError.badField("identifier", problem)
        }
    }

    /// A local source obeys the same rule as a repository that is read in place.
    private func checkFolder(of remote: RemoteAddress) async throws {
        guard configuration.mirrors.schemes.contains("file") else {
            throw MirrorFailure.notAllowed("file addresses are not allowed by the setting mirrorSchemes").rpcError
        }
        guard let path = remote.path.removingPercentEncoding, !path.utf8.contains(0) else {
            throw RPCError.badField("identifier", "the path's percent-encoding cannot be read")
        }
        _ = try await allowedFolder(path)
    }

    private func validated(
        _ remote: RemoteAddress, _ name: String, _ config: [String: String], _ branch: String, organizationID: Int64
    ) async throws -> Repository {
        let old = try await mappingStorageErrors {
            try await self.database.read { transaction in
                try RepositoryRows.find(externalID: remote.text, organizationID: organizationID, transaction)
            }
        }
        if let old, old.status != .hidden { throw Self.exists(old) }
        return Repository(
            organizationID: organizationID, name: name, url: remote.text, provider: .localGit, externalID: remote.text,
            status: .active, config: config.filter { !ConfigRules.isSecret($0.key) }, defaultBranch: branch,
            mirror: Mirror(state: .cloning)
        )
    }
}

/// The row that a transaction stored, known once it has committed.
private final class Stored: Sendable {
    private let state = Mutex<StoredRepository?>(nil)
    func set(_ row: StoredRepository) { state.withLock { $0 = row } }
    var row: StoredRepository? { state.withLock { $0 } }
}
