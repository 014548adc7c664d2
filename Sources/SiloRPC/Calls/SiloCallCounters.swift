import Logging
import Synchronization

/// What a process counts of calls between silos: every attempt it makes, and every call of a deprecated method.
///
/// Names come from the contract and from the configuration, never from a peer's words: nobody can make the number of
/// counters grow.
public final class SiloCallCounters: Sendable {
    /// How one attempt ended.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case answered
        /// The service, or the silo before it, said no: that is an answer too.
        case error
        /// Nobody answered, or the silo is overloaded.
        case unavailable
        /// Not in time.
        case late
        /// The caller has gone.
        case cancelled
        /// Not sent: the breaker is open.
        case held
    }

    public struct Way: Sendable, Hashable {
        /// `service.Method`
        public let method: String
        public let destination: SiloAddress
    }

    /// Attempts of one method to one silo.
    public struct Attempts: Sendable, Hashable {
        public fileprivate(set) var outcomes: [Outcome: Int] = [:]
        /// Attempts after the first of their call.
        public fileprivate(set) var repeats = 0
        /// As many as ``SiloCallCounters/durationBounds``, and one more for what is above all; held ones are not in it.
        public fileprivate(set) var durationCounts: [Int]
        public fileprivate(set) var totalDuration: Duration = .zero
    }

    /// A method that is deprecated, and who still calls it.
    public struct Deprecated: Sendable, Hashable {
        /// `service.Method`
        public let method: String
        /// `control`, `cell:NAME`, `rpc0`; `self` for calls that this process makes.
        public let caller: String
    }

    /// 1 ms to 5 s.
    public static let durationBounds: [Duration] = [
        .milliseconds(1), .milliseconds(2), .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50),
        .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1), .milliseconds(2500), .seconds(5),
    ]

    private struct State {
        var attempts: [Way: Attempts] = [:]
        var deprecated: [Deprecated: Int] = [:]
    }

    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter logger: gets a line for each attempt at level debug, for each call that was slow or made more than
    ///   once at info, and one for each caller of a deprecated method at warning.
    public init(logger: Logger) {
        self.logger = logger
    }

    public var attempts: [Way: Attempts] { state.withLock { $0.attempts } }
    public var deprecatedCalls: [Deprecated: Int] { state.withLock { $0.deprecated } }

    /// - Parameters:
    ///   - number: 1 for the first attempt of a call.
    ///   - duration: nil for an attempt that was held.
    func note(_ call: SiloCall, attempt number: Int, _ outcome: Outcome, _ duration: Duration?) {
        let way = Way(method: call.method.key, destination: call.destination)
        state.withLock { state in
            let none = Attempts(durationCounts: Array(repeating: 0, count: Self.durationBounds.count + 1))
            var attempts = state.attempts.removeValue(forKey: way) ?? none
            attempts.outcomes[outcome, default: 0] += 1
            if number > 1 { attempts.repeats += 1 }
            if let duration {
                let place = Self.durationBounds.firstIndex { duration <= $0 } ?? Self.durationBounds.count
                attempts.durationCounts[place] += 1
                attempts.totalDuration += duration
            }
            state.attempts[way] = attempts
        }
        logger.debug("attempt at a call of another silo", metadata: [
            "method": "\(way.method)", "to": "\(way.destination)", "attempt": "\(number)", "outcome": "\(outcome)",
            "duration": "\(duration ?? .zero)", "request": "\(call.metadata[SiloField.requestID] ?? "")",
        ])
    }

    /// Logs a call that took several attempts or all of its time.
    ///
    /// - Parameter firstError: of the first attempt, if that failed.
    func noteTrouble(_ call: SiloCall, attempts: Int, _ outcome: Outcome, firstError: String?, _ duration: Duration) {
        logger.info("a call of another silo was slow, or made more than once", metadata: [
                "method": "\(call.method.key)", "to": "\(call.destination)", "attempts": "\(attempts)",
                "outcome": "\(outcome)",
            "firstError": "\(firstError ?? "none")", "duration": "\(duration)",
            "request": "\(call.metadata[SiloField.requestID] ?? "")",
        ])
    }

    /// Counts the call when its method is deprecated, and logs the first of each caller.
    func note(_ method: SiloMethod, caller: @autoclosure () -> String) {
        guard method.lifecycle == .deprecated else { return }
        let deprecated = Deprecated(method: method.key, caller: caller())
        let count = state.withLock { state in
            state.deprecated[deprecated, default: 0] += 1
            return state.deprecated[deprecated]
        }
        guard count == 1 else { return }
        logger.warning("a deprecated method is called: move its callers", metadata: [
            "method": "\(deprecated.method)", "caller": "\(deprecated.caller)",
        ])
    }
}
