import ArgumentParser
import HTTPTransport
import RPC
import ScmGateway

/// `NAME=VALUE` settings of every limit and timer of the server: bytes, counts or seconds; -1 for none where that is
/// allowed.
struct LimitSettings: Sendable {
    var http = HTTPLimits()
    var timeouts = HTTPTimeouts()
    var rpc = RPCServerConfiguration()
    /// Of the service: git, files, mirrors.
    var gateway = ScmGatewayConfiguration()
    /// Calls of one organization that may run at a time. Default: a quarter of `runningHandlers`.
    var runningCallsPerOrganization: Int?

    var keys = KeyLimits()
    var silo = SiloLimits()

    /// What operators have set by name.
    private var named: Set<String> = []

    private static let organizationName = "runningCallsPerOrganization"

    static let names =
        (HTTPLimits.names + HTTPTimeouts.names + RPCServerConfiguration.limitNames + ScmGatewayConfiguration.limitNames
        + KeyLimits.names + SiloLimits.names + [organizationName]).sorted()

    /// - Throws: `ValidationError` that names the setting.
    mutating func apply(_ texts: [String]) throws {
        for text in texts where text == "help" {
            throw CleanExit.message("Limits and timers: \(Self.names.joined(separator: ", "))")
        }
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let value = Double(parts[1]), value.isFinite, abs(value) < 1e15 else {
                throw ValidationError("limit \"\(text)\" must look like NAME=NUMBER, such as connections=5000")
            }
            do {
                try set(parts[0], value)
            } catch {
                throw ValidationError("\(error)")
            }
        }
    }

    /// Control's connections to a cell carry the calls of everybody: callers who leave, however many, must not end them
    /// for the others. A stream that was reset keeps its place until its handler has returned all the same.
    mutating func raiseForCell() {
        if !named.contains("receivedResetBurst") { http.receivedResetBurst = 10_000 }
        if !named.contains("receivedResetsPerSecond") { http.receivedResetsPerSecond = 1_000 }
        if !named.contains("sentResets") { http.sentResets = 10_000 }
        // What control has let in must fit here, with the fields that it adds.
        if !named.contains("headerListByteCount") { http.headerListByteCount += 1024 }
        if !named.contains("headerFieldCount") { http.headerFieldCount += 8 }
    }

    private mutating func set(_ name: String, _ value: Double) throws(HTTPLimitError) {
        named.insert(name)
        if ScmGatewayConfiguration.limitNames.contains(name) {
            guard gateway.setLimit(name, to: value) else { throw HTTPLimitError("limit \(name) cannot be \(value)") }
        } else if HTTPTimeouts.names.contains(name) {
            try timeouts.set(name, to: value)
        } else if RPCServerConfiguration.limitNames.contains(name) {
            try rpc.setLimit(name, to: value)
        } else if KeyLimits.names.contains(name) {
            try keys.set(name, to: value)
        } else if SiloLimits.names.contains(name) {
            try silo.set(name, to: value)
        } else if name == Self.organizationName, value >= 1 {
            runningCallsPerOrganization = Int(value)
        } else if HTTPLimits.names.contains(name) {
            try http.set(name, to: Int(value))
        } else if name == Self.organizationName {
            throw HTTPLimitError("limit \(name) cannot be \(value)")
        } else {
            throw HTTPLimitError("no limit \"\(name)\"; there are: \(Self.names.joined(separator: ", "))")
        }
    }
}
