import Compression
import HTTPTransport

/// How the messages of one call are compressed, each way.
struct CallEncodings: Sendable {
    /// Of request messages with flag 1, or of the whole body (Connect unary); nil when the request names none.
    var request: CompressionAlgorithm?
    /// Of the answer's messages from now on; nil for none.
    var response: CompressionAlgorithm?
    /// What the head of the answer has said that its messages may be compressed with.
    var announced: CompressionAlgorithm?
    /// The answer is one HTTP body under `content-encoding` (Connect unary; gRPC-Web unary by rule W16).
    var isWholeBody = false

    /// Reads the request's fields.
    ///
    /// - Parameter compression: the query's parameter of a Connect GET request.
    /// - Throws: UNIMPLEMENTED for an encoding that is not served (rule P4), the protocol's code for bad input for a
    ///   repeated field (rule M12).
    init(
        _ fields: HTTPFields, _ wire: WireProtocol, _ method: MethodDescriptor,
        _ configuration: RPCServerConfiguration.Shared, compression: String? = nil
    ) throws(RPCError) {
        isWholeBody = wire.isWholeBody
        let name: String? = if let compression { compression } else { try Self.requested(fields, wire) }
        if let name, name != "identity" {
            let policy = configuration.values.compression
            guard let algorithm = CompressionAlgorithm(name: name), policy.algorithms.contains(algorithm) else {
                let place = compression == nil ? "\(Self.encodingField(wire))" : Self.parameter
                throw Self.unsupported(name, place, wire, policy)
            }
            request = algorithm
        }
        // The policy is looked at in place: a copy of it would cost every call.
        let responses = configuration.values.compression.responses
        guard responses == .whenAccepted || request != nil && responses != .never else { return }
        chooseResponse(fields, wire, method, configuration.values.compression)
    }

    /// For calls that are refused before anything was negotiated.
    init(wire: WireProtocol) {
        isWholeBody = wire.isWholeBody
    }

    /// The request's own algorithm if the client accepts it, else the first of ours that it accepts.
    mutating func chooseResponse(
        _ fields: HTTPFields, _ wire: WireProtocol, _ method: MethodDescriptor, _ policy: CompressionPolicy
    ) {
        guard !policy.exemptMethods.contains(method) else { return }
        var accepted = Self.accepted(fields, Self.acceptField(wire))
        var isWholeBody = self.isWholeBody
        // Rule W16: without grpc-accept-encoding this may be a browser, which inflates whole bodies; gzip is what all
        // know.
        if wire.isWeb, fields.count(of: .grpcAcceptEncoding) == 0, method.kind == .unary {
            accepted = Self.accepted(fields, .acceptEncoding).filter { $0 == .gzip }
            isWholeBody = true
        }
        let preferred = [request].compactMap(\.self) + policy.algorithms
        guard let algorithm = preferred.first(where: accepted.contains) else { return }
        response = algorithm
        self.isWholeBody = isWholeBody
    }

    private static func requested(_ fields: HTTPFields, _ wire: WireProtocol) throws(RPCError) -> String? {
        let name = encodingField(wire)
        switch fields.count(of: name) {
        case 0: return nil
        case 1: return fields.first(name)
        default: throw RPCError(wire.badInputCode, "\(name) is given more than once")
        }
    }

    private static let parameter = "query parameter compression"

    private static func unsupported(
        _ name: String, _ place: String, _ wire: WireProtocol, _ policy: CompressionPolicy
    ) -> RPCError {
        var error = RPCError(
            .unimplemented, "\(place) \"\(name.bounded)\" is not served; send one of: \(policy.acceptedNames)"
        )
        error.protocolFields.append(acceptField(wire), policy.acceptedNames)
        return error
    }

    /// Where a message's encoding stands.
    static func encodingField(_ wire: WireProtocol) -> HTTPFieldName {
        switch wire {
        case .grpc, .web, .webText: .grpcEncoding
        case .connectUnary, .connectGet, .rest: .contentEncoding
        case .connectStream: .connectContentEncoding
        }
    }

    static func acceptField(_ wire: WireProtocol) -> HTTPFieldName {
        switch wire {
        case .grpc, .web, .webText: .grpcAcceptEncoding
        case .connectUnary, .connectGet, .rest: .acceptEncoding
        case .connectStream: .connectAcceptEncoding
        }
    }

    /// The known algorithms of a comma-separated list; those with weight zero are refused (RFC 9110 12.5.3).
    private static func accepted(_ fields: HTTPFields, _ name: HTTPFieldName) -> [CompressionAlgorithm] {
        fields.values(name).flatMap { value in
            value.split(separator: ",").compactMap { item in
                let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
                guard let first = parts.first, !parts.dropFirst().contains(where: isZeroWeight) else { return nil }
                return CompressionAlgorithm(name: first)
            }
        }
    }

    private static func isZeroWeight(_ parameter: String) -> Bool {
        guard parameter.lowercased().hasPrefix("q=") else { return false }
        return Double(parameter.dropFirst(2)) == 0
    }
}

extension String {
    /// Peer text in an error: at most 64 characters.
    var bounded: String {
        count <= 64 ? self : prefix(64) + "..."
    }
}
