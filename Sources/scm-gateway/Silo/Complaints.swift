import Logging
import Synchronization

/// Logs what fails again and again once a minute.
final class Complaints: Sendable {
    private let logger: Logger
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    func add(_ error: any Error) {
        let isDue = last.withLock { last in
            if let time = last, time + .seconds(60) > .now { return false }
            last = .now
            return true
        }
        guard isDue else { return }
        logger.warning("the replica of control's tables is not up to date", metadata: ["error": "\(error)"])
    }
}
