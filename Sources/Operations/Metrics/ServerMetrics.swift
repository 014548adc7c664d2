import HTTPTransport
import NIOCore
import RPC
import Synchronization

/// Counters of another module, for the page of metrics.
///
/// Label values must not come from a peer: nobody may make the number of series grow.
public protocol MetricsSource: Sendable {
    func write(to text: inout PrometheusText)
}

/// Everything that a server counts, as Prometheus text. Collected when asked; calls pay for additions only.
///
/// Label values come from the contract, from names of limits and from status codes: never from a peer, so that nobody
/// can make the number of series grow.
public final class ServerMetrics: Sendable {
    /// One listening socket with its calls.
    public struct Listener: Sendable {
        /// Value of the label `listener`.
        public var name: String
        public var http: HTTPServer
        public var rpc: RPCServer

        public init(name: String, http: HTTPServer, rpc: RPCServer) {
            self.name = name
            self.http = http
            self.rpc = rpc
        }
    }

    private let all: Mutex<[Listener]>
    private let sources = Mutex<[any MetricsSource]>([])

    public init(_ listeners: [Listener] = []) {
        all = Mutex(listeners)
    }

    /// Adds families of another module.
    public func add(_ source: any MetricsSource) {
        sources.withLock { $0.append(source) }
    }

    /// Adds a listener; the page of metrics may belong to a server that is part of it.
    public func add(_ listener: Listener) {
        all.withLock { $0.append(listener) }
    }

    private var listeners: [Listener] { all.withLock { $0 } }

    /// - Parameter accept: the request's `Accept`; OpenMetrics is answered to who asks for it.
    public func text(accept: String = "") async -> (contentType: String, bytes: [UInt8]) {
        let format: PrometheusText.Format = accept.contains("application/openmetrics-text") ? .openMetrics : .prometheus
        var text = PrometheusText(format)
        writeCalls(to: &text)
        writeRefusals(to: &text)
        var statistics: [(name: String, HTTPServerStatistics)] = []
        for listener in listeners { statistics.append((listener.name, await listener.http.statistics())) }
        Self.write(statistics, to: &text)
        for source in sources.withLock({ $0 }) { source.write(to: &text) }
        return (format.contentType, text.finish())
    }

    private func writeRefusals(to text: inout PrometheusText) {
        text.family("rpc_requests_refused", .counter, "Requests that did not become calls, by HTTP status.")
        for listener in listeners {
            for (status, count) in listener.rpc.refusedRequestCounts.sorted(by: { $0.key < $1.key }) {
                text.sample("rpc_requests_refused_total", [("listener", listener.name), ("status", "\(status)")], count)
            }
        }
    }

    private func writeCalls(to text: inout PrometheusText) {
        var methods: [(PrometheusText.Labels, MethodStatistics)] = []
        for listener in listeners {
            for method in listener.rpc.statistics where method.startedCount > 0 || method.method != nil {
                methods.append((Self.labels(listener.name, method), method))
            }
        }
        Self.counter("rpc_calls_started", "Calls begun.", methods, { $0.startedCount }, to: &text)
        text.family("rpc_calls_finished", .counter, "Calls ended, by their grpc-status.")
        for (labels, method) in methods {
            for (code, count) in method.finishedCounts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                text.sample("rpc_calls_finished_total", labels + [("code", "\(code)")], count)
            }
        }
        text.family("rpc_calls_in_flight", .gauge, "Calls in progress.")
        for (labels, method) in methods { text.sample("rpc_calls_in_flight", labels, method.inFlightCount) }
        text.family("rpc_method_enabled", .gauge, "0 when the operator switched the method off.")
        for (labels, method) in methods where method.method != nil {
            text.sample("rpc_method_enabled", labels, method.isEnabled ? 1 : 0)
        }
        text.family("rpc_call_duration_seconds", .histogram, "From the request's head to the status.")
        for (labels, method) in methods where method.finishedCount > 0 {
            text.histogram(
                "rpc_call_duration_seconds", labels, bounds: MethodStatistics.durationBounds,
                counts: method.durationCounts, sum: method.totalDuration
            )
        }
        Self.counter("rpc_request_messages", "Messages received.", methods, { $0.requestMessageCount }, to: &text)
        Self.counter("rpc_request_bytes", "Bytes of messages received.", methods, { $0.requestByteCount }, to: &text)
        Self.counter("rpc_response_messages", "Messages sent.", methods, { $0.responseMessageCount }, to: &text)
        Self.counter("rpc_response_bytes", "Bytes of messages sent.", methods, { $0.responseByteCount }, to: &text)
    }

    private static func labels(_ listener: String, _ method: MethodStatistics) -> PrometheusText.Labels {
        let known = method.method
        return [
            ("listener", listener), ("service", known?.service ?? "unknown"), ("method", known?.method ?? "unknown")
        ]
    }

    private static func counter(
        _ name: String, _ help: String, _ methods: [(PrometheusText.Labels, MethodStatistics)],
        _ value: (MethodStatistics) -> Int, to text: inout PrometheusText
    ) {
        text.family(name, .counter, help)
        for (labels, method) in methods { text.sample("\(name)_total", labels, value(method)) }
    }

    // MARK: HTTP

    private static func write(_ all: [(name: String, HTTPServerStatistics)], to text: inout PrometheusText) {
        func family(
            _ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (HTTPServerStatistics) -> Int
        ) {
            text.family(name, kind, help)
            let sample = kind == .counter ? "\(name)_total" : name
            for (listener, statistics) in all { text.sample(sample, [("listener", listener)], value(statistics)) }
        }
        family("http_connections_accepted", .counter, "Connections admitted.") { $0.acceptedConnections }
        family("http_connections_refused", .counter, "Connections that a limit refused.") { $0.refusedConnections }
        text.family("http_connections_open", .gauge, "Open connections, by protocol.")
        for (listener, statistics) in all {
            for (name, count) in statistics.openConnections.sorted(by: { $0.key < $1.key }) {
                text.sample("http_connections_open", [("listener", listener), ("protocol", name)], count)
            }
        }
        family("http_requests", .counter, "Requests whose head was complete.") { $0.requests }
        family("http_streams_open", .gauge, "Requests in progress.") { $0.openStreams }
        family("http_handlers_running", .gauge, "Handlers that have not returned.") { $0.runningHandlers }
        family("http_handlers_maximum", .gauge, "Handlers that may run: HTTPLimits.runningHandlers.") {
            $0.maximumRunningHandlers
        }
        family("tls_handshakes_failed", .counter, "TLS handshakes that failed.") { $0.failedTLSHandshakes }
        text.family("http_limit_hits", .counter, "How often a limit or timer has acted, by its name.")
        for (listener, statistics) in all {
            for (limit, count) in statistics.limitHits.sorted(by: { $0.key < $1.key }) {
                text.sample("http_limit_hits_total", [("listener", listener), ("limit", limit)], count)
            }
        }
    }
}
