import RPC
import ScmAPI
import SiloRPC
import Storage
import Synchronization

extension ScmGatewayService {
    private static let maximumSyncIDCount = 1000

    /// A local folder is "offered" while it is there and can be read; a mirror always is.
    public func syncRepositories(
        _ request: SyncRepositoriesRequest, responses: ResponseWriter<SyncRepositoriesResponse>, context: CallContext
    ) async throws {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        if request.integrationID != 0 {
            throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
        }
        guard request.repositoryIDs.count <= Self.maximumSyncIDCount else {
            throw RPCError.badField("repository_ids", "at most \(Self.maximumSyncIDCount) are allowed")
        }
        let rows = try await syncedRows(request, organizationID: organizationID)
        var result = SyncResult()
        for row in rows { try await sync(row, request, &result, context) }
        if request.fetchMirrors {
            let mirrors = rows.filter { $0.mirror != nil && $0.status == .active }
            if request.dryRun {
                result.fetchedRepositoryIDs = mirrors.map(\.id)
            } else {
                try await fetch(mirrors, responses, &result)
            }
        }
        try await responses.send(SyncRepositoriesResponse(event: .result(result)))
    }

    /// - Throws: NOT_FOUND when one of the named repositories is not the organization's.
    private func syncedRows(
        _ request: SyncRepositoriesRequest, organizationID: Int64
    ) async throws -> [StoredRepository] {
        let rows = try await mappingStorageErrors {
            try await self.database.read { transaction in
                guard request.repositoryIDs.isEmpty else {
                    return try Set(request.repositoryIDs).sorted().map { id in
                        let row = try RepositoryRows.find(id: id, organizationID: organizationID, transaction)
                        guard let row else { throw Self.repositoryNotFound }
                        return row
                    }
                }
                var filter = RepositoryFilter(organizationID: organizationID)
                filter.statuses = [.active, .disabled, .hidden]
                return try filter.rows(after: 0, limit: 100_000, transaction)
            }
        }
        return rows.filter { $0.provider == StoredRepository.localGit }
    }

    /// Compares one row with its folder.
    private func sync(
        _ row: StoredRepository, _ request: SyncRepositoriesRequest, _ result: inout SyncResult, _ context: CallContext
    ) async throws {
        let gitFolder = row.gitFolder
        let isMirror = row.mirror != nil
        let isOffered = try await offLoop {
            guard !isMirror else { return true }
            return (try? RepositoryLocation(gitFolder: gitFolder))?.gitFolder == gitFolder
        }
        let wanted: StoredRepository.Status
        switch (row.status, isOffered) {
        case (.active, false): wanted = .disabled
        case (.disabled, true): wanted = .active
        case (.hidden, true) where request.includeHidden: wanted = .active
        default:
            if row.status != .hidden { result.unchangedCount += 1 }
            return
        }
        let changed = request.dryRun ? row : try await setStatus(row, wanted)
        if !request.dryRun {
            let what = wanted == .active ? "enabled by a sync" : "disabled by a sync"
            noteRepositoryChange(what, row.id, organizationID: row.organizationID, context)
        }
        var answer = Repository(changed)
        answer.status = RepositoryStatus(rawValue: Int32(clamping: wanted.rawValue))
        switch row.status {
        case .active: result.disabled.append(answer)
        case .hidden: result.reactivated.append(answer)
        default: result.restored.append(answer)
        }
    }

    private func setStatus(
        _ row: StoredRepository, _ status: StoredRepository.Status
    ) async throws -> StoredRepository {
        try await mappingStorageErrors {
            try await self.database.write { transaction in
                transaction.afterCommit { self.directory.forget(id: row.id, organizationID: row.organizationID) }
                return try RepositoryRows.set(status, of: row.id, transaction) ?? row
            }
        }
    }

    // MARK: Mirrors

    /// Fetches side by side, as many as the setting allows. A job that this call began ends with it; one that ran
    /// already goes on.
    private func fetch(
        _ rows: [StoredRepository], _ responses: ResponseWriter<SyncRepositoriesResponse>, _ result: inout SyncResult
    ) async throws {
        let clock = ProgressClock()
        let failures = try await withThrowingTaskGroup(of: (StoredRepository, MirrorFailure?).self) { group in
            for row in rows {
                group.addTask {
                    let (job, isNew) = self.mirrors.start(row)
                    return try await withTaskCancellationHandler {
                        for await progress in job.watch() where clock.isDue(row.id) {
                            do {
                                try await responses.send(SyncRepositoriesResponse(event: .progress(SyncProgress(
                                    repositoryID: row.id, phase: progress.phase, done: progress.done,
                                    total: progress.total
                                ))))
                            } catch {
                                if isNew { job.cancel() }
                                throw error
                            }
                        }
                        let failure = await job.end()
                        try Task.checkCancellation()
                        return (row, failure)
                    } onCancel: {
                        if isNew { job.cancel() }
                    }
                }
            }
            var ends: [(StoredRepository, MirrorFailure?)] = []
            for try await end in group { ends.append(end) }
            return ends
        }
        for (row, failure) in failures.sorted(by: { $0.0.id < $1.0.id }) {
            if let failure {
                result.failures.append(SyncFailure(
                    repositoryID: row.id, name: row.name, status: GoogleRPC.Status(failure.rpcError)
                ))
            } else {
                result.fetchedRepositoryIDs.append(row.id)
            }
        }
    }
}

/// At most one message a second about each repository.
private final class ProgressClock: Sendable {
    private let last = Mutex<[Int64: ContinuousClock.Instant]>([:])

    func isDue(_ id: Int64) -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if let before = last[id], now - before < .seconds(1) { return false }
            last[id] = now
            return true
        }
    }
}
