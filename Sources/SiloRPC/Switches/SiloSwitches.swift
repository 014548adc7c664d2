import Synchronization

/// What operators change of methods while processes run: off, timeout, retries. Both sides have one: a caller sends
/// nothing of a method that is off, a silo serves nothing of it.
///
/// Names are `service.Method`, or `service` for all methods of it; the longer name wins.
public final class SiloSwitches: Sendable {
    public struct Setting: Sendable, Hashable {
        /// Why the method is off, for callers to read; nil when it is on.
        public var disabledReason: String?
        /// Instead of the declared one; nil leaves it.
        public var timeout: Duration?
        /// Instead of the declared number; nil leaves it.
        public var retries: Int?

        /// - Throws: ``SiloError/configuration(_:)`` for a timeout that is not positive, or retries outside 0...10.
        public init(disabledReason: String? = nil, timeout: Duration? = nil, retries: Int? = nil) throws(SiloError) {
            if let timeout, timeout <= .zero { throw .configuration("switches: a timeout must be more than 0, not \(timeout)") }
            if let retries, !(0...10).contains(retries) {
                throw .configuration("switches: retries must be 0 to 10, not \(retries)")
            }
            self.disabledReason = disabledReason
            self.timeout = timeout
            self.retries = retries
        }
    }

    private let settings: Mutex<[String: Setting]>

    public init(_ settings: [String: Setting] = [:]) {
        self.settings = Mutex(settings)
    }

    /// Everything that is set.
    public var all: [String: Setting] { settings.withLock { $0 } }

    /// From now on; calls in progress go on as they began.
    public func replace(_ settings: [String: Setting]) { self.settings.withLock { $0 = settings } }

    /// nil goes back to what is declared.
    public func set(_ name: String, _ setting: Setting?) { settings.withLock { $0[name] = setting } }

    private func setting(_ method: SiloMethod) -> Setting? {
        settings.withLock { settings in
            settings.isEmpty ? nil : settings[method.key] ?? settings[method.serviceKey]
        }
    }

    /// - Throws: ``SiloError/disabled(method:reason:)``
    public func check(_ method: SiloMethod) throws(SiloError) {
        if method.lifecycle == .disabled { throw .disabled(method: method.key, reason: "its contract says so") }
        if let reason = setting(method)?.disabledReason { throw .disabled(method: method.key, reason: reason) }
    }

    public func timeout(_ method: SiloMethod) -> Duration { setting(method)?.timeout ?? method.timeout }

    public func retries(_ method: SiloMethod) -> Int { setting(method)?.retries ?? method.retries }
}
