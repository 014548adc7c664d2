import RPC

/// Names every call, so that a caller's complaint and a line of the log can be brought together: the caller's own
/// `x-request-id`, or a new one of 32 hexadecimal digits. It stands in the access log and in the answer's trailing
/// metadata (headers would keep clients from trying again).
public struct RequestIDInterceptor: ServerInterceptor {
    static let name = "x-request-id"

    public init() {}

    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        Self.identify(context)
        try await next(call, context)
    }

    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        Self.identify(context)
        return true
    }

    private static func identify(_ context: CallContext) {
        let given = context.metadata[name] ?? ""
        let isFit = (1...AccessLog.maximumTextByteCount).contains(given.utf8.count)
        let id = isFit ? given : generate()
        context.noteRequestID(id)
        context.addTrailingMetadata(name, id)
    }

    private static func generate() -> String {
        func half() -> String {
            let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: max(0, 16 - digits.utf8.count)) + digits
        }
        return half() + half()
    }
}
