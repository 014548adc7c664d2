import Synchronization

/// Organizations for which something runs that must not run twice at a time. Thread-safe.
final class OrganizationLocks: Sendable {
    private let running = Mutex<Set<Int64>>([])

    /// False when it runs already.
    func begin(_ organizationID: Int64) -> Bool { running.withLock { $0.insert(organizationID).inserted } }

    func end(_ organizationID: Int64) { _ = running.withLock { $0.remove(organizationID) } }
}
