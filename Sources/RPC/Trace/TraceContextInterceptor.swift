import HTTPTransport
import Logging
import ServiceContextModule

/// Takes a call's W3C trace context in: handlers find it as `context.serviceContext.traceContext`, log lines get
/// `trace_id` and `span_id` (with ``Logger/MetadataProvider/traceContext``), and client calls made by the handler carry
/// it on.
///
/// A call without a valid `traceparent` costs one look at its fields, and starts a trace only when `startsTraces`.
public struct TraceContextInterceptor: ServerInterceptor {
    private let startsTraces: Bool

    /// - Parameter startsTraces: begin a trace, not sampled, for calls that bring none. Default false.
    public init(startsTraces: Bool = false) {
        self.startsTraces = startsTraces
    }

    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        guard let trace = Self.trace(of: context.metadata) ?? (startsTraces ? .root(isSampled: false) : nil) else {
            return try await next(call, context)
        }
        var context = context
        // The call is a span of its own, whose parent is the caller's.
        let span = trace.child()
        context.serviceContext.traceContext = span
        context.note(span)
        try await ServiceContext.$current.withValue(context.serviceContext) { try await next(call, context) }
    }

    /// Decides at once where there is no trace.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        !startsTraces && context.metadata.fields.count(of: .traceparent) == 0
    }

    /// nil when there is none, more than one, or an invalid one.
    static func trace(of metadata: Metadata) -> TraceContext? {
        guard metadata.fields.count(of: .traceparent) == 1, let parent = metadata.fields.first(.traceparent) else {
            return nil
        }
        return TraceContext(traceparent: parent, tracestate: metadata.fields.values(.tracestate))
    }
}

extension Logger.MetadataProvider {
    /// Adds the current trace's ids to log lines, named as OpenTelemetry names them.
    public static let traceContext = Logger.MetadataProvider {
        guard let trace = ServiceContext.current?.traceContext else { return [:] }
        return [
            "trace_id": "\(trace.traceID.text)", "span_id": "\(trace.spanIDText)",
            "trace_flags": "\(Hexadecimal.text(trace.flags))",
        ]
    }
}

/// On a channel: calls made inside a trace carry it on, as a span of their own. A call's trace is that of its
/// ``CallOptions/serviceContext``, else that of the task it is made in. A `traceparent` that the caller gave stays.
extension TraceContextInterceptor: ClientInterceptor {
    public func intercept<Answer: Sendable>(
        _ context: ClientCallContext, next: ClientCallHandler<Answer>
    ) async throws -> Answer {
        guard context.metadata["traceparent"] == nil,
            let trace = context.serviceContext.traceContext ?? ServiceContext.current?.traceContext
                ?? (startsTraces ? .root(isSampled: false) : nil)
        else { return try await next(context) }
        var context = context
        let span = trace.child()
        context.metadata.add("traceparent", span.traceparent)
        if !span.state.isEmpty { context.metadata.add("tracestate", span.state) }
        return try await next(context)
    }
}
