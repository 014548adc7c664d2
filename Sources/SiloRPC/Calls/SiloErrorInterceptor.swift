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
        guard services.contains(context.method.service) else { return try await next(call, context) }
        do {
            try await next(call, context)
        } catch let error as RPCError {
            throw error
        } catch let error as any RPCErrorConvertible {
            throw error.rpcError
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let requestID = context.metadata[SiloField.requestID] ?? RequestID.make()
            logger.error("call of another silo failed", metadata: [
                "method": "\(context.method.path)", "request": "\(requestID)", "error": "\(error)",
                "source": "\(context.serviceContext[SiloPeerKey.self]?.source.map { "\($0)" } ?? "unknown")",
            ])
            throw SiloError.generic(
                .internalError, "the service failed; the log of its silo has the cause", requestID: requestID)
        }
    }

    /// Calls of other services are not slowed down.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        !services.contains(context.method.service)
    }
}
