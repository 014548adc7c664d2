import Logging
import RPC

/// Turns what services throw into what other silos may see: a ``SiloError`` travels as it is, everything else becomes
/// one text and a request id, under which this silo's log has the cause.
public struct SiloErrorInterceptor: ServerInterceptor {
    private let services: Set<String>
    private let logger: Logger

    /// - Parameter services: full names of the services that only silos may call.
    public init(services: Set<String>, logger: Logger) {
        self.services = services
        self.logger = logger
    }

    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        do { try await next(call, context) } catch { throw replacement(for: error, of: call, context: context) }
    }

    /// Nothing is to be decided: only errors concern it.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool { true }

    public func replacement(for error: any Error, of call: ServerCall, context: CallContext) -> any Error {
        guard services.contains(context.method.service) else { return error }
        switch error {
        case is RPCError, is CancellationError: return error
        case let error as any RPCErrorConvertible: return error.rpcError
        default:
            let requestID = context.metadata[SiloField.requestID] ?? RequestID.make()
            logger.error("call of another silo failed", metadata: [
                "method": "\(context.method.path)", "request": "\(requestID)", "error": "\(error)",
                "source": "\(context.serviceContext[SiloPeerKey.self]?.source.map { "\($0)" } ?? "unknown")",
            ])
            return SiloError.generic(
                .internalError, "the service failed; the log of its silo has the cause", requestID: requestID)
        }
    }
}
