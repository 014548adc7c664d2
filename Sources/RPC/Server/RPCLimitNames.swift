import HTTPTransport

extension RPCServerConfiguration {
    private static let sizes: [(name: String, path: any WritableKeyPath<RPCServerConfiguration, Int> & Sendable)] = [
        ("maximumRequestMessageByteCount", \.maximumRequestMessageByteCount),
        ("maximumResponseMessageByteCount", \.maximumResponseMessageByteCount),
        ("maximumHalfDuplexByteCount", \.maximumHalfDuplexByteCount),
        ("maximumRatio", \.compression.maximumRatio),
        ("minimumResponseByteCount", \.compression.minimumResponseByteCount),
    ]
    private static let timeouts:
        [(name: String, path: any WritableKeyPath<RPCServerConfiguration, Duration?> & Sendable)] =
        [
            ("defaultUnaryTimeout", \.defaultUnaryTimeout), ("maximumUnaryTimeout", \.maximumUnaryTimeout),
            ("maximumStreamTimeout", \.maximumStreamTimeout),
        ]

    /// The name of every limit of calls, as it stands in configuration.
    public static let limitNames: [String] = sizes.map(\.name) + timeouts.map(\.name)

    /// Sets a limit by its name: bytes, or seconds where -1 means none.
    public mutating func setLimit(_ name: String, to value: Double) throws(HTTPLimitError) {
        guard Self.limitNames.contains(name) else {
            throw HTTPLimitError("no limit \"\(name)\"; there are: \(Self.limitNames.joined(separator: ", "))")
        }
        if let path = Self.sizes.first(where: { $0.name == name })?.path, value >= 1, value <= Double(UInt32.max) {
            self[keyPath: path] = Int(value)
        } else if let path = Self.timeouts.first(where: { $0.name == name })?.path, value == -1 || value >= 0,
            value < 1e9
        {
            self[keyPath: path] = value < 0 ? nil : .seconds(value)
        } else {
            throw HTTPLimitError("limit \(name) cannot be \(value)")
        }
    }
}
