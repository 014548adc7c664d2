import NIOPosix
import Synchronization

/// What the connections of one ``TLSClientConfiguration`` share: made by the first.
final class TLSClientShared: Sendable {
    private let made = Mutex<TLSContext?>(nil)

    /// Reads the files anew, for connections that come later.
    ///
    /// - Throws: ``TLSError`` that names the file; what was read before stays.
    func renew(_ configuration: TLSClientConfiguration) async throws {
        let context = try await NIOThreadPool.singleton.runIfActive { try TLSContext(configuration) }
        made.withLock { $0 = context }
    }

    /// Reads the files of the configuration on a thread that may block, the first time.
    ///
    /// - Throws: ``TLSError`` that names the file.
    func context(_ configuration: TLSClientConfiguration) async throws -> TLSContext {
        if let context = made.withLock({ $0 }) { return context }
        return try await NIOThreadPool.singleton.runIfActive {
            try self.made.withLock { made in
                if let context = made { return context }
                let context = try TLSContext(configuration)
                made = context
                return context
            }
        }
    }
}
