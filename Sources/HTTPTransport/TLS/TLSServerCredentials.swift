import Logging
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The certificates that a listener uses at this moment, and how they are replaced while it runs.
///
/// A connection keeps what it began with. Whatever goes wrong with new files leaves the old ones in use.
final class TLSServerCredentials: Sendable {
    private struct State {
        var context: TLSContext
        /// What the files looked like when they were last read.
        var marks: [FileMark?]
    }

    private let configuration: TLSServerConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    private init(_ configuration: TLSServerConfiguration, _ logger: Logger, _ state: State) {
        self.configuration = configuration
        self.logger = logger
        self.state = Mutex(state)
    }

    /// Reads the files on a thread that may block.
    ///
    /// - Throws: ``TLSError`` that names the file.
    static func load(_ configuration: TLSServerConfiguration, logger: Logger) async throws -> TLSServerCredentials {
        try await NIOThreadPool.singleton.runIfActive {
            let marks = FileMark.of(configuration)
            let context = try TLSContext(configuration)
            let credentials = TLSServerCredentials(configuration, logger, State(context: context, marks: marks))
            credentials.logWarnings(context)
            return credentials
        }
    }

    var context: TLSContext { state.withLock { $0.context } }

    /// Reads the files again.
    ///
    /// - Throws: ``TLSError``; the old certificates stay in use.
    func reload() async throws {
        try await NIOThreadPool.singleton.runIfActive { try self.replace(FileMark.of(self.configuration)) }
    }

    /// Looks at the files every ``TLSServerConfiguration/reloadInterval``, until its task is cancelled.
    func watch() async {
        guard let interval = configuration.reloadInterval else { return }
        while (try? await Task.sleep(for: max(interval, .milliseconds(10)))) != nil {
            try? await NIOThreadPool.singleton.runIfActive { self.reloadIfChanged() }
        }
    }

    private func reloadIfChanged() {
        let marks = FileMark.of(configuration)
        guard marks != state.withLock({ $0.marks }) else { return }
        try? replace(marks)
    }

    private func replace(_ marks: [FileMark?]) throws(TLSError) {
        do {
            let context = try TLSContext(configuration)
            state.withLock { $0 = State(context: context, marks: marks) }
            logger.notice("TLS: new certificates are in use", metadata: metadata)
            logWarnings(context)
        } catch {
            // Told once for each state of the files, not at every look.
            state.withLock { $0.marks = marks }
            logger.error("TLS: the old certificates stay in use: \(error)", metadata: metadata)
            throw error
        }
    }

    private func logWarnings(_ context: TLSContext) {
        for warning in context.warnings { logger.warning("TLS: \(warning)") }
    }

    private var metadata: Logger.Metadata { ["certificate": "\(configuration.identity.certificateChain)"] }
}

/// What changes when a file is replaced or written. Links are followed.
private struct FileMark: Equatable {
    let device: UInt64
    let inode: UInt64
    let byteCount: Int64
    let seconds: Int
    let nanoseconds: Int

    /// nil where there is no regular file: pipes are read once.
    private init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        byteCount = Int64(status.st_size)
        #if canImport(Darwin)
            seconds = status.st_mtimespec.tv_sec
            nanoseconds = status.st_mtimespec.tv_nsec
        #else
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        #endif
    }

    static func of(_ configuration: TLSServerConfiguration) -> [FileMark?] {
        configuration.sources.map { if case .file(let path) = $0 { FileMark(path: path) } else { nil } }
    }
}
