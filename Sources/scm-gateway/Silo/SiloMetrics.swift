import Operations
import SiloRPC

/// Calls between silos, on the page of metrics.
struct SiloMetrics: MetricsSource {
    let counters: SiloCallCounters
    let verifier: SiloVerifier
    let client: SiloHTTPClient

    func write(to text: inout PrometheusText) {
        let attempts = counters.attempts.sorted { Self.key($0.key) < Self.key($1.key) }
        text.family("silo_attempts", .counter, "Attempts at calls of other silos, by how they ended.")
        for (way, attempts) in attempts {
            for (outcome, count) in attempts.outcomes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                text.sample("silo_attempts_total", Self.labels(way) + [("outcome", outcome.rawValue)], count)
            }
        }
        text.family("silo_repeats", .counter, "Attempts after the first of their call.")
        for (way, attempts) in attempts { text.sample("silo_repeats_total", Self.labels(way), attempts.repeats) }
        text.family("silo_attempt_duration_seconds", .histogram, "From an attempt's start to its end.")
        for (way, attempts) in attempts {
            text.histogram(
                "silo_attempt_duration_seconds", Self.labels(way), bounds: SiloCallCounters.durationBounds,
                counts: attempts.durationCounts, sum: attempts.totalDuration)
        }
        text.family("silo_deprecated_calls", .counter, "Calls of deprecated methods, made (caller self) and served.")
        let deprecated = counters.deprecatedCalls.sorted { "\($0.key)" < "\($1.key)" }
        for (call, count) in deprecated {
            text.sample("silo_deprecated_calls_total", [("method", call.method), ("caller", call.caller)], count)
        }
        text.family("silo_proxied_requests", .counter, "Requests of the public handed on, by cell and outcome.")
        for (request, count) in client.proxiedRequests.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            let labels: PrometheusText.Labels = [("cell", "\(request.cell)"), ("outcome", request.outcome)]
            text.sample("silo_proxied_requests_total", labels, count)
        }
        text.family("silo_signatures_refused", .counter, "Calls of other silos whose signature was refused.")
        for (reason, count) in verifier.refusalCounts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text.sample("silo_signatures_refused_total", [("reason", reason.rawValue)], count)
        }
        text.family("silo_clock_skew_milliseconds", .gauge, "Another silo's clock minus this one's, at its last call.")
        for (silo, skew) in verifier.clockSkew.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            text.sample("silo_clock_skew_milliseconds", [("source", "\(silo)")], Int(skew))
        }
    }

    private static func key(_ way: SiloCallCounters.Way) -> String { "\(way.method) \(way.destination)" }

    private static func labels(_ way: SiloCallCounters.Way) -> PrometheusText.Labels {
        [("method", way.method), ("to", "\(way.destination)")]
    }
}
