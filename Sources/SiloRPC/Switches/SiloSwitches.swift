import Synchronization

/// What operators change of methods while processes run: off, timeout, retries. Both sides have one: a caller sends
/// nothing of a method that is off, a silo serves nothing of it.
///
/// Names are `service.Method`, or `service` for all methods of it; the longer name wins.
public final class SiloSwitches: Sendable {
    public struct Setting: Sendable, Hashable {
        /// Why the method is off, for callers to read; nil when it is on.
        public var disabledReason: String?
        /// Whose calls are off; empty for everybody's.
        public var disabledCallers: Set<SiloAddress>
        /// Of a hundred calls, how many are off: both sides choose the same ones, by the request id.
        public var disabledPercent: Int
        /// Instead of the declared one; nil leaves it.
        public var timeout: Duration?
        /// Instead of the declared number; nil leaves it.
        public var retries: Int?

        /// - Throws: ``SiloError/configuration(_:)`` for a timeout that is not positive, retries outside 0...10, a
        ///   share outside 1...100.
        public init(
            disabledReason: String? = nil, disabledCallers: Set<SiloAddress> = [], disabledPercent: Int = 100,
            timeout: Duration? = nil, retries: Int? = nil
        ) throws(SiloError) {
            guard (1...100).contains(disabledPercent) else {
                throw .configuration("switches: disabledPercent must be 1 to 100, not \(disabledPercent)")
            }
            if let timeout, timeout <= .zero {
                throw .configuration("switches: a timeout must be more than 0, not \(timeout)")
            }
            if let retries, !(0...10).contains(retries) {
                throw .configuration("switches: retries must be 0 to 10, not \(retries)")
            }
            self.disabledReason = disabledReason
            self.disabledCallers = disabledCallers
            self.disabledPercent = disabledPercent
            self.timeout = timeout
            self.retries = retries
        }
    }

    private let settings: Mutex<[String: Setting]>
    /// Whether there may be any: usually there are none, and no call takes the lock.
    private let maySet: Atomic<Bool>

    public init(_ settings: [String: Setting] = [:]) {
        self.settings = Mutex(settings)
        maySet = Atomic(!settings.isEmpty)
    }

    /// Everything that is set.
    public var all: [String: Setting] { settings.withLock { $0 } }

    /// From now on; calls in progress go on as they began.
    public func replace(_ settings: [String: Setting]) { change { $0 = settings } }

    /// nil goes back to what is declared.
    public func set(_ name: String, _ setting: Setting?) { change { $0[name] = setting } }

    private func change(_ body: (inout [String: Setting]) -> Void) {
        settings.withLock { settings in
            body(&settings)
            maySet.store(!settings.isEmpty, ordering: .releasing)
        }
    }

    /// What is set for a method, by its own name or its service's; nil for nothing.
    public func setting(_ method: SiloMethod) -> Setting? {
        guard maySet.load(ordering: .acquiring) else { return nil }
        return settings.withLock { $0[method.key] ?? $0[method.serviceKey] }
    }

    /// - Parameters:
    ///   - caller: the silo whose call it is; nil for nobody in particular.
    ///   - requestID: of the call, which decides when only a part of the calls is off; nil decides by chance.
    /// - Throws: ``SiloError/disabled(method:reason:)``
    public func check(
        _ method: SiloMethod, from caller: SiloAddress?, requestID: @autoclosure () -> String? = nil
    ) throws(SiloError) {
        try Self.check(method, setting(method), from: caller, requestID: requestID())
    }

    /// As ``check(_:from:requestID:)``, with what is set for the method.
    static func check(
        _ method: SiloMethod, _ setting: Setting?, from caller: @autoclosure () -> SiloAddress?,
        requestID: @autoclosure () -> String?
    ) throws(SiloError) {
        if method.lifecycle == .disabled { throw .disabled(method: method.key, reason: "its contract says so") }
        guard let setting, let reason = setting.disabledReason else { return }
        if !setting.disabledCallers.isEmpty {
            guard let caller = caller(), setting.disabledCallers.contains(caller) else { return }
        }
        guard setting.disabledPercent < 100 else { throw .disabled(method: method.key, reason: reason) }
        let number = requestID().flatMap { UInt64($0, radix: 16) } ?? .random(in: 0 ... .max)
        if number % 100 < UInt64(setting.disabledPercent) {
            throw .disabled(method: method.key, reason: "\(reason) (\(setting.disabledPercent) of 100 calls)")
        }
    }

    public func timeout(_ method: SiloMethod) -> Duration { setting(method)?.timeout ?? method.timeout }

    public func retries(_ method: SiloMethod) -> Int { setting(method)?.retries ?? method.retries }
}
