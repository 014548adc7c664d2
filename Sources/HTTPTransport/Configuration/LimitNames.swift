/// A limit or timer that does not exist, or a value that it cannot have.
public struct HTTPLimitError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension HTTPLimits {
    private static let numbers: [(name: String, path: any WritableKeyPath<HTTPLimits, Int> & Sendable)] = [
        ("headerListByteCount", \.headerListByteCount), ("headerFieldCount", \.headerFieldCount),
        ("headerFieldsPerSecond", \.headerFieldsPerSecond), ("requestLineByteCount", \.requestLineByteCount),
        ("concurrentStreams", \.concurrentStreams), ("runningHandlers", \.runningHandlers),
        ("connections", \.connections), ("streamWindowByteCount", \.streamWindowByteCount),
        ("connectionWindowByteCount", \.connectionWindowByteCount), ("unreadBodyByteCount", \.unreadBodyByteCount),
        ("unsentBodyByteCount", \.unsentBodyByteCount),
        ("unsentConnectionByteCount", \.unsentConnectionByteCount),
        ("inflatedBytesPerSecond", \.inflatedBytesPerSecond), ("drainedBodyByteCount", \.drainedBodyByteCount),
        ("chunkExtensionByteCount", \.chunkExtensionByteCount), ("sentResets", \.sentResets),
        ("receivedResetBurst", \.receivedResetBurst), ("receivedResetsPerSecond", \.receivedResetsPerSecond),
        ("controlFrames", \.controlFrames), ("windowUpdates", \.windowUpdates), ("emptyDataFrames", \.emptyDataFrames),
        ("queuedFrames", \.queuedFrames), ("budgetSeconds", \.budgetSeconds),
        ("continuationFrames", \.continuationFrames), ("settingsEntries", \.settingsEntries),
    ]
    private static let optionalNumbers: [(name: String, path: any WritableKeyPath<HTTPLimits, Int?> & Sendable)] = [
        ("bodyByteCount", \.bodyByteCount), ("connectionsPerAddress", \.connectionsPerAddress),
    ]

    /// The name of every limit, as it stands in errors, in ``HTTPServer/limitHits`` and in configuration.
    public static let names: [String] = numbers.map(\.name) + optionalNumbers.map(\.name)

    /// Sets a limit by its name. -1 switches off the two that may be off: `bodyByteCount`, `connectionsPerAddress`.
    public mutating func set(_ name: String, to value: Int) throws(HTTPLimitError) {
        if let path = Self.optionalNumbers.first(where: { $0.name == name })?.path, value >= -1 {
            self[keyPath: path] = value < 0 ? nil : value
        } else if let path = Self.numbers.first(where: { $0.name == name })?.path, value >= 0 {
            self[keyPath: path] = value
        } else if Self.names.contains(name) {
            throw HTTPLimitError("limit \(name) cannot be \(value)")
        } else {
            throw HTTPLimitError("no limit \"\(name)\"; there are: \(Self.names.joined(separator: ", "))")
        }
    }

    /// The value of a limit; nil when it is off or does not exist.
    public func value(of name: String) -> Int? {
        if let path = Self.numbers.first(where: { $0.name == name })?.path { return self[keyPath: path] }
        return Self.optionalNumbers.first { $0.name == name }.flatMap { self[keyPath: $0.path] }
    }
}

extension HTTPTimeouts {
    private static let durations: [(name: String, path: any WritableKeyPath<HTTPTimeouts, Duration?> & Sendable)] = [
        ("requestHead", \.requestHead), ("tlsHandshake", \.tlsHandshake), ("idleHTTP1", \.idleHTTP1),
        ("idleHTTP2", \.idleHTTP2), ("keepaliveInterval", \.keepaliveInterval),
        ("writeStall", \.writeStall), ("bodyGrace", \.bodyGrace), ("connectionAge", \.connectionAge),
    ]
    private static let required: [(name: String, path: any WritableKeyPath<HTTPTimeouts, Duration> & Sendable)] = [
        ("lingeringClose", \.lingeringClose), ("connectionAgeGrace", \.connectionAgeGrace),
        ("keepaliveTimeout", \.keepaliveTimeout),
    ]
    private static let rates: [(name: String, path: any WritableKeyPath<HTTPTimeouts, Int> & Sendable)] = [
        ("bodyBytesPerSecond", \.bodyBytesPerSecond), ("writeBytesPerSecond", \.writeBytesPerSecond),
    ]

    /// The name of every timer and rate, as it stands in errors, in ``HTTPServer/limitHits`` and in configuration.
    public static let names: [String] = durations.map(\.name) + required.map(\.name) + rates.map(\.name)

    /// Sets a timer (seconds) or a rate (bytes per second) by its name. -1 switches a timer off that may be off.
    public mutating func set(_ name: String, to value: Double) throws(HTTPLimitError) {
        guard value.isFinite, value < 1e9 else {
            throw HTTPLimitError("timer \(name) cannot be \(value)")
        }
        if let path = Self.durations.first(where: { $0.name == name })?.path, value >= 0 || value == -1 {
            self[keyPath: path] = value < 0 ? nil : .seconds(value)
        } else if let path = Self.required.first(where: { $0.name == name })?.path, value >= 0 {
            self[keyPath: path] = .seconds(value)
        } else if let path = Self.rates.first(where: { $0.name == name })?.path, value >= 0 {
            self[keyPath: path] = Int(value)
        } else if Self.names.contains(name) {
            throw HTTPLimitError("timer \(name) cannot be \(value)")
        } else {
            throw HTTPLimitError("no timer \"\(name)\"; there are: \(Self.names.joined(separator: ", "))")
        }
    }
}
