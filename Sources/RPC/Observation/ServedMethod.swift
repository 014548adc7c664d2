import HTTPTransport
import Synchronization

/// A method as one server serves it: its code with all interceptors around, its counters, its switch.
final class ServedMethod: Sendable {
    let descriptor: MethodDescriptor
    /// The descriptor's, as bytes.
    let path: [UInt8]
    /// Of the server: here, so that a call has one reference less.
    let configuration: RPCServerConfiguration.Shared
    let immediate: ImmediateCallHandler?
    /// The handler behind all interceptors, behind all but the first, ... behind none.
    let chain: [Link]
    let counters = MethodCounters()
    private let isDisabled = Atomic<Bool>(false)
    private let reason = Mutex("")

    /// A handler that an array holds as it is: functions alone are stored in a general form there, and each call would
    /// pass two more functions to get at them.
    struct Link: Sendable {
        let handler: CallHandler
    }

    init(_ method: RPCMethod, chain: [Link], _ configuration: RPCServerConfiguration.Shared) {
        descriptor = method.descriptor
        path = Array(method.descriptor.path.utf8)
        self.configuration = configuration
        immediate = method.immediate
        self.chain = chain
    }

    deinit { counters.deallocate() }

    var isEnabled: Bool { !isDisabled.load(ordering: .relaxed) }

    func setEnabled(_ isEnabled: Bool, reason text: String) {
        reason.withLock { $0 = text }
        isDisabled.store(!isEnabled, ordering: .relaxed)
    }

    /// UNAVAILABLE, because it is the operator's choice of the moment; and no retry, because it is not over in a
    /// second.
    var disabledError: RPCError {
        let text = reason.withLock { $0 }
        var error = RPCError(
            .unavailable,
            "method \(descriptor.path) is switched off by the operator" + (text.isEmpty ? "" : ": \(text)")
        )
        error.retryPushback = .seconds(-1)
        return error
    }
}

/// One method of a server, at one moment. Counters start at 0 with the server and only grow.
public struct MethodStatistics: Sendable {
    /// nil stands for all paths that are no method.
    public var method: MethodDescriptor?
    /// False when the operator switched it off.
    public var isEnabled: Bool
    public var startedCount: Int
    /// Calls that have ended, by status; only statuses that happened. Numbers above 16 count as UNKNOWN.
    public var finishedCounts: [StatusCode: Int]
    /// Calls that took at most ``MethodStatistics/durationBounds`` of the same index and more than the one before; the
    /// last entry counts those that took longer than all.
    public var durationCounts: [Int]
    public var totalDuration: Duration
    public var requestMessageCount: Int
    public var requestByteCount: Int
    public var responseMessageCount: Int
    public var responseByteCount: Int

    public var finishedCount: Int { finishedCounts.values.reduce(0, +) }
    /// Calls in progress.
    public var inFlightCount: Int { max(0, startedCount - finishedCount) }

    /// Upper bounds of the duration buckets.
    public static var durationBounds: [Duration] { MethodCounters.bounds.map { .nanoseconds($0) } }
}

extension RPCServer {
    /// What every method has done, and last all paths that are no method.
    public var statistics: [MethodStatistics] {
        servedMethods.map { $0.counters.statistics($0.descriptor, isEnabled: $0.isEnabled) }
            + [unknownMethod.counters.statistics(nil, isEnabled: true)]
    }

    /// Switches a method off, or on again. Calls in progress go on; new ones fail with UNAVAILABLE and a message that
    /// says so. Lasts as long as this object.
    ///
    /// - Parameters:
    ///   - path: `/service/method`.
    ///   - reason: for callers to read.
    /// - Returns: false when there is no such method.
    @discardableResult
    public func setMethod(_ path: String, isEnabled: Bool, reason: String = "") -> Bool {
        guard let method = servedMethods.last(where: { $0.descriptor.path == path }) else { return false }
        method.setEnabled(isEnabled, reason: reason)
        return true
    }
}
