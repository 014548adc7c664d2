import Foundation
import Logging
import RPC
import ScmAPI
import SiloRPC
import Storage
import Synchronization

/// Copies of remote repositories: makes them, brings them up to date, removes them.
///
/// ```
/// <folder>/ab/cd/<64 hexadecimal digits>.git    a copy; its name says nothing about whose it is
/// <folder>/new/<id>                             a clone that is not whole; removed at the next start
/// ```
///
/// ```
///             clone ends well                fetch begins              fetch ends well
/// cloning ---------------------> ready <----------------> fetching ------------------> ready
///    |                             ^                          |
///    +--- fails: nothing stays --> failed <--- fails ---------+  (what was there stays readable)
/// ```
final class Mirrors: Sendable {
    let configuration: MirrorConfiguration
    private let transfer: MirrorTransfer
    private let database: Database
    private let directory: RepositoryDirectory
    private let logger: Logger
    private let folder: String
    private let places: AsyncSemaphore
    private let jobs = Mutex<[Int64: MirrorJob]>([:])
    private let clock = Mutex<Task<Void, Never>?>(nil)
    private let cleaning = Mutex<MirrorMaintenance?>(nil)

    /// - Parameter folder: absolute.
    init(
        _ configuration: MirrorConfiguration, program: String, folder: String, database: Database,
        directory: RepositoryDirectory, logger: Logger
    ) {
        self.configuration = configuration
        transfer = MirrorTransfer(program: program, configuration: configuration)
        self.folder = folder
        self.database = database
        self.directory = directory
        self.logger = logger
        places = AsyncSemaphore(limit: configuration.maximumConcurrentTransfers, queueLimit: .max, knob: "")
        cleaning.withLock { $0 = MirrorMaintenance { [weak self] row in await self?.clean(row) } }
    }

    /// A folder for a copy, that nothing has. Makes what it is in.
    ///
    /// - Throws: ``MirrorFailure``.
    func newFolder() async throws -> String {
        let bytes = SHA256.digest(Array(UUID().uuidString.utf8))
        let name = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let folder = folder
        return try await offLoop {
            let parent = "\(folder)/\(name.prefix(2))/\(name.dropFirst(2).prefix(2))"
            try Self.makeFolder(parent)
            guard let real = RepositoryLocation.realPath(parent) else {
                throw MirrorFailure.failed("no folder \(parent)")
            }
            return "\(real)/\(name).git"
        }
    }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]
            )
        } catch let error as CocoaError where error.code == .fileWriteOutOfSpace {
            throw MirrorFailure.diskFull
        } catch {
            throw MirrorFailure.failed("cannot make the folder \(path): \(error.localizedDescription)")
        }
    }

    /// The branch that the remote's HEAD names (`refs/heads/main`), nil when it names none. Proves that the remote
    /// can be read.
    ///
    /// - Throws: ``MirrorFailure``.
    func look(at remote: RemoteAddress) async throws -> Revision? {
        let addresses = try await remote.vetted(configuration)
        return try await head(of: remote, addresses)
    }

    private func head(of remote: RemoteAddress, _ addresses: [String]) async throws -> Revision? {
        let output = try await transfer.run(
            .look(remote), addresses, timeout: (configuration.probeTimeout, "mirrorProbeTimeout")
        )
        let line = String(decoding: output, as: UTF8.self).split(separator: "\n").first {
            $0.hasPrefix("ref: refs/heads/")
        }
        return line?.dropFirst("ref: ".count).split(separator: "\t").first.flatMap { try? Revision(String($0)) }
    }

    // MARK: Jobs

    /// The clone or fetch of a mirror that runs already, or a new one.
    func start(_ row: StoredRepository) -> (job: MirrorJob, isNew: Bool) {
        jobs.withLock { jobs in
            if let running = jobs[row.id] { return (running, false) }
            let job = MirrorJob { [weak self] report in
                guard let self else { return .cancelled }
                defer { _ = self.jobs.withLock { $0.removeValue(forKey: row.id) } }
                return await self.update(row, report)
            }
            jobs[row.id] = job
            return (job, true)
        }
    }

    /// Goes on with what a restart broke off, and removes what it left, and copies whose rows are gone.
    func resume() async throws {
        let wanted = Set(try await database.read { try MirrorRows.folders($0) })
        let folder = folder
        try await offLoop {
            guard let root = RepositoryLocation.realPath(folder) else { return }
            try? FileManager.default.removeItem(atPath: root + "/new")
            for name in Self.copies(in: root) where !wanted.contains("\(root)/\(name)") {
                try? FileManager.default.removeItem(atPath: "\(root)/\(name)")
            }
        }
        for row in try await database.read({ try MirrorRows.unfinished($0) }) { _ = start(row) }
        try await startClock()
    }

    /// `ab/cd/<name>.git`.
    private static func copies(in root: String) -> [String] {
        var found = [""]
        for _ in 0..<3 {
            found = found.flatMap { parent in
                let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(parent)")) ?? []
                return names.map { parent.isEmpty ? $0 : "\(parent)/\($0)" }
            }
        }
        return found.filter { $0.hasSuffix(".git") }
    }

    /// Ends a mirror's job and removes its copy.
    func remove(_ row: StoredRepository) async {
        if let job = jobs.withLock({ $0[row.id] }) {
            job.cancel()
            _ = await job.end()
        }
        await maintenance?.remove(row.id)
        let folder = row.gitFolder
        try? await offLoop { try? FileManager.default.removeItem(atPath: folder) }
    }

    func shutDown() async {
        let clock = clock.withLock { $0.take() }
        clock?.cancel()
        await clock?.value
        await maintenance?.shutDown()
        let running = jobs.withLock { Array($0.values) }
        for job in running { job.cancel() }
        for job in running { _ = await job.end() }
    }

    // MARK: By itself

    /// The server's interval in milliseconds; 0 for never.
    var interval: Int64 { Int64(configuration.fetchInterval / .milliseconds(1)) }

    private var maintenance: MirrorMaintenance? { cleaning.withLock { $0 } }

    /// Fetches what is due, for ever. What goes wrong with the database is logged and tried again.
    private func startClock() async throws {
        let interval = interval
        try await database.write { try MirrorRows.adopt(interval: interval, $0) }
        let pause = MirrorSchedule.pause(interval: configuration.fetchInterval)
        clock.withLock { clock in
            guard clock == nil else { return }
            clock = Task { [weak self] in
                while (try? await Task.sleep(for: pause)) != nil { await self?.fetchDue() }
            }
        }
    }

    private func fetchDue() async {
        do {
            for row in try await database.read({ try MirrorRows.due(EpochTime.now, $0) }) { _ = start(row) }
        } catch {
            logger.warning("no look at what mirrors are due", metadata: ["error": "\(error)"])
        }
    }

    /// What fails now is tried again after the next fetch.
    private func clean(_ row: StoredRepository) async {
        do {
            _ = try await transfer.run(
                .clean(folder: row.gitFolder), [], timeout: (configuration.transferTimeout, "mirrorTransferTimeout")
            )
            let byteCount = try await offLoop { FolderSize.of(row.gitFolder) }
            try await store(row) { try MirrorRows.maintained($0.id, byteCount: byteCount, $1) }
            logger.info("mirror cleaned up", metadata: ["repository": "\(row.id)", "bytes": "\(byteCount)"])
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("mirror not cleaned up", metadata: ["repository": "\(row.id)", "error": "\(error)"])
        }
    }

    // MARK: One clone or fetch

    /// - Returns: why it failed; nil when it did not.
    private func update(
        _ row: StoredRepository, _ report: @escaping @Sendable (TransferProgress) -> Void
    ) async -> MirrorFailure? {
        do {
            let isNew = try await places.withUnit {
                let remote: RemoteAddress
                do throws(GitError) {
                    remote = try RemoteAddress(row.externalID)
                } catch {
                    throw MirrorFailure.failed("the stored address cannot be read")
                }
                let addresses = try await remote.vetted(configuration)
                let exists = try await offLoop { RepositoryLocation.realPath(row.gitFolder) != nil }
                if exists {
                    try await store(row) { try MirrorRows.begin($0.id, .fetching, $1) }
                    try await fetch(row, remote, addresses, report)
                } else {
                    try await clone(row, remote, addresses, report)
                }
                try await finish(row, isNew: !exists)
                return !exists
            }
            if !isNew, (try? await offLoop({ MirrorMaintenance.isDue(row, now: EpochTime.now) })) == true {
                maintenance?.add(row)
            }
            return nil
        } catch {
            let failure = Task.isCancelled && !(error is MirrorFailure) ? .cancelled : Self.failure(error)
            logger.warning("mirror failed", metadata: ["repository": "\(row.id)", "error": "\(failure)"])
            // Also when this task was cancelled: a task of its own can still write.
            let status = GoogleRPC.Status(failure.rpcError)
            let interval = interval
            await Task {
                do {
                    try await self.store(row) { try MirrorRows.fail($0.id, status, server: interval, $1) }
                } catch MirrorFailure.cancelled {
                    // The command line has removed the row; nobody else removes what was made since.
                    try? await offLoop { try? FileManager.default.removeItem(atPath: row.gitFolder) }
                } catch {}
            }.value
            return failure
        }
    }

    private static func failure(_ error: any Error) -> MirrorFailure {
        if let failure = error as? MirrorFailure { return failure }
        if let error = error as? StorageError, error.isFull { return .diskFull }
        return .failed("\(error)")
    }

    private func clone(
        _ row: StoredRepository, _ remote: RemoteAddress, _ addresses: [String],
        _ report: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let new = "\(folder)/new"
        let part = "\(new)/\(row.id)-\(UUID().uuidString)"
        try await offLoop { try Self.makeFolder(new) }
        do {
            _ = try await transfer.run(
                .clone(remote, folder: part), addresses,
                timeout: (configuration.transferTimeout, "mirrorTransferTimeout"),
                growing: part, report: report
            )
            try checkSize(try await offLoop { FolderSize.of(part) })
            try await offLoop {
                guard rename(part, row.gitFolder) == 0 else {
                    throw MirrorFailure.failed("cannot move the clone: errno \(errno)")
                }
            }
        } catch {
            // Before the failure is told: who reads of it finds nothing left behind.
            try? await offLoop { try? FileManager.default.removeItem(atPath: part) }
            throw error
        }
    }

    private func fetch(
        _ row: StoredRepository, _ remote: RemoteAddress, _ addresses: [String],
        _ report: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let limit = (configuration.transferTimeout, "mirrorTransferTimeout")
        _ = try await transfer.run(
            .fetch(remote, folder: row.gitFolder), addresses, timeout: limit, growing: row.gitFolder, report: report
        )
        if let head = try await head(of: remote, addresses) {
            _ = try await transfer.run(.setHead(head, folder: row.gitFolder), [], timeout: limit)
        }
    }

    private func checkSize(_ byteCount: Int) throws {
        guard byteCount <= configuration.maximumByteCount else {
            throw MirrorFailure.tooLarge(limit: configuration.maximumByteCount, knob: "maximumMirrorByteCount")
        }
    }

    private func finish(_ row: StoredRepository, isNew: Bool) async throws {
        let (branch, byteCount) = try await offLoop {
            let location = try RepositoryLocation(gitFolder: row.gitFolder)
            return (LocalFolder.defaultBranch(location), FolderSize.of(row.gitFolder))
        }
        let interval = interval
        try await store(row) {
            // A clone comes packed.
            if isNew { _ = try MirrorRows.maintained($0.id, byteCount: byteCount, $1) }
            return try MirrorRows.finish($0.id, defaultBranch: branch, byteCount: byteCount, server: interval, $1)
        }
    }

    /// - Throws: ``MirrorFailure/cancelled`` when the row has gone.
    private func store(
        _ row: StoredRepository, _ change: @escaping @Sendable (StoredRepository, WriteTransaction) throws -> Bool
    ) async throws {
        let exists = try await database.write { transaction in
            transaction.afterCommit { self.directory.forget(id: row.id, organizationID: row.organizationID) }
            return try change(row, transaction)
        }
        guard exists else { throw MirrorFailure.cancelled }
    }
}
