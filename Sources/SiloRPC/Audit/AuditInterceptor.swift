import FrameCodec
import NIOCore
import RPC
import Storage

/// Writes every call that may change something into the ``AuditLog``: before it runs, and again when it has ended. What
/// cannot be noted is not done.
///
/// Calls that only read (`NO_SIDE_EFFECTS`) pass without a look, as do streams of requests. Stands behind
/// ``APIKeyInterceptor``: calls of open services are nobody's, and are not noted.
public struct AuditInterceptor: ServerInterceptor {
    private let log: AuditLog
    private let requests: [MethodDescriptor: any Message.Type]
    private let excluded: Set<String>

    /// - Parameters:
    ///   - methods: whose requests are looked at for their numbers; calls of others are noted without.
    ///   - excludedServices: services that change nothing, though their methods do not say so.
    public init(_ log: AuditLog, methods: [MethodTypes], excludedServices: Set<String> = []) {
        self.log = log
        requests = Dictionary(methods.map { ($0.descriptor, $0.request) }) { first, _ in first }
        excluded = excludedServices
    }

    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        !concerns(context)
    }

    /// - Throws: `RPCError` UNAVAILABLE when the entry cannot be written; whatever the call throws.
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        guard concerns(context), let principal = context.serviceContext[PrincipalKey.self] else {
            return try await next(call, context)
        }
        let id = try await begin(call, context, principal)
        do {
            call.keepAnswer()
            try await next(call, context)
            await log.end(id, outcome: "\(StatusCode.ok)", result: call.answer.map(AnswerIDs.text) ?? "")
        } catch {
            await log.end(id, outcome: Self.outcome(error))
            throw error
        }
    }

    private func concerns(_ context: CallContext) -> Bool {
        let method = context.method
        return method.idempotency != .noSideEffects && (method.kind == .unary || method.kind == .serverStreaming)
            && context.serviceContext[PrincipalKey.self] != nil && !excluded.contains(method.service)
    }

    private func begin(_ call: ServerCall, _ context: CallContext, _ principal: Principal) async throws -> Int64 {
        let subject =
            if let type = requests[context.method], let message = try await call.peekMessage() {
                RequestNumbers.text(message, type, call.codec)
            } else {
                ""
            }
        do {
            return try await log.begin(
                organizationID: principal.organizationID, keyID: principal.keyID, method: context.method.path,
                subject: subject, peer: Self.peer(context.remoteAddress),
                requestID: Self.bounded(context.metadata["x-request-id"] ?? "")
            )
        } catch let error as StorageError {
            throw RPCError(error, otherwise: "the audit log cannot be written, so nothing is changed")
        }
    }

    private static func outcome(_ error: any Error) -> String {
        switch error {
        case let error as RPCError: "\(error.code)"
        case let error as any RPCErrorConvertible: "\(error.rpcError.code)"
        case is CancellationError: "\(StatusCode.cancelled)"
        default: "\(StatusCode.unknown)"
        }
    }

    private static func peer(_ address: SocketAddress?) -> String {
        guard let address else { return "" }
        return address.ipAddress ?? address.pathname ?? ""
    }

    /// At most 128 printable characters of what a peer sent.
    private static func bounded(_ text: String) -> String {
        String(
            decoding: text.utf8.prefix(128).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

/// The ids in an answer that say what was made or found, such as `id=7 repositoryId=3`.
///
/// Never text, but for ids of digits that are written as text.
enum AnswerIDs {
    static func text(_ answer: any Message) -> String {
        var found: [String] = []
        answer.serializedBytes().withUnsafeBytes { collect($0, type(of: answer), prefix: "", into: &found) }
        return String(found.joined(separator: " ").prefix(RequestNumbers.maximumCharacterCount))
    }

    private static func isID(_ name: String) -> Bool { name == "id" || name.hasSuffix("_id") }

    private static func collect(
        _ bytes: UnsafeRawBufferPointer, _ type: any Message.Type, prefix: String, into found: inout [String]
    ) {
        var reader = WireReader(bytes)
        do throws(WireError) {
            while found.count < 20, let tag = try reader.nextTag() {
                let field = type.schema.field(number: Int(tag >> 3))
                switch tag & 7 {
                case 0:
                    let value = try reader.readVarint()
                    if let field, isID(field.name), !field.isEnumeration {
                        found.append("\(prefix)\(field.jsonName)=\(Int64(bitPattern: value))")
                    }
                case 2:
                    let value = try reader.readLengthDelimited()
                    if let field, case .string = field.kind, isID(field.name), (1...20).contains(value.count),
                        value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
                    {
                        found.append("\(prefix)\(field.jsonName)=\(String(decoding: value, as: UTF8.self))")
                    }
                    // One level: the key in the answer of CreateKey. Lists of found rows are no result.
                    if prefix.isEmpty, let field, case .message(let type) = field.kind, field.cardinality != .repeated {
                        collect(value, type, prefix: field.jsonName + ".", into: &found)
                    }
                default:
                    var ignored = UnknownFields()
                    try reader.readUnknown(tag, into: &ignored)
                }
            }
        } catch {}
    }
}

extension FieldSchema {
    fileprivate var isEnumeration: Bool {
        if case .enumeration = kind { true } else { false }
    }
}

/// The numbers in a request that say what it is about, such as `repositoryId=3 codeMapping.id=7`.
///
/// Never text: it may be a secret, or somebody's prose.
enum RequestNumbers {
    static let maximumCharacterCount = 500

    static func text(_ message: ByteBuffer, _ type: any Message.Type, _ codec: MessageCodec) -> String {
        let decoded = message.withUnsafeReadableBytes { bytes -> (any Message)? in
            // What does not decode is refused by the handler.
            switch codec {
            case .proto: try? type.init(serializedBytes: bytes)
            case .json: try? type.init(jsonBytes: bytes, options: JSONDecodingOptions(ignoresUnknownFields: true))
            }
        }
        guard let decoded else { return "" }
        var found: [String] = []
        decoded.serializedBytes().withUnsafeBytes { collect($0, type, prefix: "", into: &found) }
        let text = found.joined(separator: " ")
        return text.count <= maximumCharacterCount ? text : String(text.prefix(maximumCharacterCount)) + "..."
    }

    private static func collect(
        _ bytes: UnsafeRawBufferPointer, _ type: any Message.Type, prefix: String, into found: inout [String]
    ) {
        var reader = WireReader(bytes)
        let schema = type.schema
        do throws(WireError) {
            while found.count < 100, let tag = try reader.nextTag() {
                let field = schema.field(number: Int(tag >> 3))
                switch tag & 7 {
                case 0:
                    let value = try reader.readVarint()
                    if let field { found.append("\(prefix)\(field.jsonName)=\(Int64(bitPattern: value))") }
                case 2:
                    let nested = try reader.readLengthDelimited()
                    // One level is enough for "the repository that shall be changed".
                    if prefix.isEmpty, let field, case .message(let type) = field.kind {
                        collect(nested, type, prefix: field.jsonName + ".", into: &found)
                    }
                default:
                    var ignored = UnknownFields()
                    try reader.readUnknown(tag, into: &ignored)
                }
            }
        } catch {}
    }
}
