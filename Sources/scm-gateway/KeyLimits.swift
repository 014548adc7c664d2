import HTTPTransport

/// What keys may do, and how long it is remembered.
struct KeyLimits: Sendable {
    /// Of keys without a rate of their own; nil for as many as they like.
    var callsPerMinutePerKey: Int?
    /// Seconds by which the clock of a client that signs may be off.
    var signatureWindow = 60
    /// Signatures that are remembered at a time.
    var signatureNonces = 100_000
    /// Days that entries of the audit log stay.
    var auditRetentionDays = 365

    static let names = ["callsPerMinutePerKey", "signatureWindow", "signatureNonces", "auditRetentionDays"]

    mutating func set(_ name: String, to value: Double) throws(HTTPLimitError) {
        let count = Int(value)
        switch name {
        case "callsPerMinutePerKey" where count == -1: callsPerMinutePerKey = nil
        case "callsPerMinutePerKey" where (1...1_000_000).contains(count): callsPerMinutePerKey = count
        case "signatureWindow" where (1...3600).contains(count): signatureWindow = count
        case "signatureNonces" where (1...10_000_000).contains(count): signatureNonces = count
        case "auditRetentionDays" where (1...36_500).contains(count): auditRetentionDays = count
        default: throw HTTPLimitError("limit \(name) cannot be \(value)")
        }
    }
}
