import FrameCodec
import HTTPTransport

/// How long a client wants to wait, from the header that its protocol uses.
enum CallTimeout {
    /// - Returns: nanoseconds; nil when absent or so long that it means none (rule T1).
    /// - Throws: INTERNAL (gRPC) or INVALID_ARGUMENT (Connect) for a repeated or malformed value (rules M12, T3).
    static func read(_ fields: HTTPFields, _ wire: WireProtocol) throws(RPCError) -> UInt64? {
        let name: HTTPFieldName = wire.isConnect ? .connectTimeoutMilliseconds : .grpcTimeout
        switch fields.count(of: name) {
        case 0: return nil
        case 1: return wire.isConnect ? try connect(fields) : try grpc(fields)
        default: throw RPCError(wire.badInputCode, "\(name) is given more than once")
        }
    }

    private static func grpc(_ fields: HTTPFields) throws(RPCError) -> UInt64? {
        do {
            return try fields.withFirst(.grpcTimeout) { try GRPCTimeout.parse($0) } ?? nil
        } catch {
            throw RPCError(.internalError, "grpc-timeout must be 1 to 8 digits and one of H M S m u n (such as 500m)")
        }
    }

    /// Connect: milliseconds, one to ten digits.
    private static func connect(_ fields: HTTPFields) throws(RPCError) -> UInt64? {
        let milliseconds = fields.withFirst(.connectTimeoutMilliseconds) { value -> UInt64? in
            guard (1...10).contains(value.count) else { return nil }
            var amount: UInt64 = 0
            for digit in value {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                amount = amount * 10 + UInt64(digit - UInt8(ascii: "0"))
            }
            return amount
        }
        guard case .some(.some(let milliseconds)) = milliseconds else {
            throw RPCError(.invalidArgument, "connect-timeout-ms must be 1 to 10 digits (milliseconds)")
        }
        return milliseconds * 1_000_000
    }
}
