import HTTPTransport
import NIOCore
import Synchronization

/// One attempt that did not end in OK.
struct AttemptFailure: Sendable {
    var error: RPCError
    /// The server answered with headers: the application has begun, no other attempt may (rule S9).
    var isCommitted = false
    /// The server certainly did nothing (rules H2c, S7): repeating is always safe.
    var wasRefused = false

    /// The error as the caller gets it.
    var report: RPCError {
        var error = error
        if wasRefused { error.wasNotProcessed = true }
        switch pushback {
        case .none: break
        case .never: error.retryPushback = .seconds(-1)
        case .after(let delay): error.retryPushback = delay
        }
        return error
    }

    /// What the server says about another attempt (rule S10), from its trailers; what stands before it, from its head.
    enum Pushback: Equatable { case none, never, after(Duration) }

    var pushback: Pushback {
        let name = HTTPFieldName.grpcRetryPushbackMilliseconds
        guard error.metadata.fields.count(of: name) > 0, let text = error.metadata.fields.first(name) else {
            guard let asked = error.retryPushback else { return .none }
            return asked < .zero ? .never : .after(asked)
        }
        // Anything that is not a plain number means: do not.
        guard text.utf8.count <= 10, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let milliseconds = Int64(text), milliseconds <= Int64(Int32.max)
        else { return .never }
        return .after(.milliseconds(milliseconds))
    }
}

/// Decides, failure by failure, whether a call is tried again. Source: gRFC A6.
struct RetryState: Sendable {
    /// Repetitions that cost no attempt; bounded, because a server may refuse for ever.
    static let maximumTransparentRetries = 5

    let policy: RetryPolicy?
    let throttle: RetryThrottle?
    /// The attempt that runs; 1 for the first.
    private(set) var attempt = 1
    private var transparentRetries = 0

    init(_ policy: RetryPolicy?, _ throttle: RetryThrottle?) {
        self.policy = policy
        self.throttle = throttle
    }


    /// - Returns: how long to wait before the next attempt; nil to give up.
    mutating func delay(after failure: AttemptFailure, deadline: NIODeadline?) -> Duration? {
        guard !failure.isCommitted, deadline.map({ $0 > .now() }) ?? true else { return nil }
        if failure.wasRefused, transparentRetries < Self.maximumTransparentRetries {
            transparentRetries += 1
            return .zero
        }
        guard let policy else { return nil }
        let pushback = failure.pushback
        let isRetryable = policy.retryableCodes.contains(failure.error.code)
        let allowed = isRetryable || pushback == .never ? throttle?.didFail() ?? true : true
        guard isRetryable, pushback != .never, allowed, attempt < policy.maximumAttempts else { return nil }
        var delay = policy.delay(afterAttempt: attempt, random: .random(in: -1...1))
        if case .after(let asked) = pushback { delay = asked }
        if let deadline, NIODeadline.now() + TimeAmount(delay) >= deadline { return nil }
        attempt += 1
        return delay
    }
}

/// The token bucket that all calls of a channel share.
final class RetryThrottle: Sendable {
    private let settings: RetryThrottling
    private let tokens: Mutex<Double>

    init(_ settings: RetryThrottling) {
        self.settings = settings
        tokens = Mutex(settings.maximumTokens)
    }

    func didSucceed() {
        tokens.withLock { $0 = min(settings.maximumTokens, $0 + settings.tokenRatio) }
    }

    /// - Returns: true when another attempt is allowed.
    func didFail() -> Bool {
        tokens.withLock { tokens in
            tokens = max(0, tokens - 1)
            return tokens > settings.maximumTokens / 2
        }
    }

    var allowsRetries: Bool { tokens.withLock { $0 > settings.maximumTokens / 2 } }
}
