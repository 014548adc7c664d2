@testable import HTTPTransport

extension ResponseRulesTests {
    /// What became of a response, for two clients to be compared.
    struct Outcome: Equatable {
        /// What is sent back: resets, and the codes of GOAWAY.
        var resets: [Frame]
        var goAways: [UInt32]
        /// What is reported of the stream in the middle.
        var reports: [Report]

        init(_ output: [UInt8], _ reports: [Report]) {
            resets = Wire.frames(output).ofType(3)
            goAways = Wire.frames(output).goAwayCodes
            self.reports = reports.filter { $0.stream == 3 }
        }

        /// How much of a body is reported before its refusal depends on how it arrives.
        var withoutBodies: Outcome {
            var copy = self
            copy.reports.removeAll { if case .data = $0 { true } else { false } }
            return copy
        }

        var isRefused: Bool { reports.contains(.closed(3, "PROTOCOL_ERROR")) }
    }
}

extension Report {
    var stream: Int32? {
        switch self {
        case .head(let id, _), .data(let id, _), .end(let id), .trailers(let id, _), .closed(let id, _): id
        case .goAway: nil
        }
    }
}
