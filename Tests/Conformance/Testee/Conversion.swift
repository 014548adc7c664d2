import FrameCodec
import RPC
import ScmAPI

/// Reads the payload of a request and writes it in the format that the request wants.
struct Conversion {
    private typealias Result = Conformance.ConformanceResponse.Result

    private let types: MessageRegistry

    init() {
        var collector = MessageTypeCollector()
        collector.add(TestAllTypesProto3.self)
        collector.add(NullHypothesisProto3.self)
        for method in ScmServiceMethod.types {
            collector.add(method.request)
            collector.add(method.response)
        }
        let details: [any Message.Type] = [
            GoogleRPC.Status.self, GoogleRPC.ErrorInfo.self, GoogleRPC.RetryInfo.self, GoogleRPC.DebugInfo.self,
            GoogleRPC.QuotaFailure.self, GoogleRPC.PreconditionFailure.self, GoogleRPC.BadRequest.self,
            GoogleRPC.RequestInfo.self, GoogleRPC.ResourceInfo.self, GoogleRPC.Help.self,
            GoogleRPC.LocalizedMessage.self
        ]
        for detail in details { collector.add(detail) }
        types = MessageRegistry(collector.types)
    }

    /// The serialised answer to a serialised request.
    func answer(_ bytes: [UInt8]) -> [UInt8] {
        let result: Result
        do throws(WireError) {
            result = convert(try Conformance.ConformanceRequest(serializedBytes: bytes))
        } catch {
            result = .runtimeError("the request is not a ConformanceRequest: \(error)")
        }
        return Conformance.ConformanceResponse(result: result).serializedBytes()
    }

    private func convert(_ request: Conformance.ConformanceRequest) -> Result {
        if request.messageType == Conformance.FailureSet.schema.name {
            return .protobufPayload(Conformance.FailureSet().serializedBytes())
        }
        guard let type = types[request.messageType] else {
            return .skipped("the message type \(request.messageType) is not known here")
        }
        return convert(request, as: type)
    }

    private func convert<Type: Message>(
        _ request: Conformance.ConformanceRequest, as type: Type.Type
    ) -> Result {
        let message: Type
        switch request.payload {
        case .protobufPayload(let bytes):
            do throws(WireError) { message = try Type(serializedBytes: bytes) } catch {
                return .parseError(error.description)
            }
        case .jsonPayload(let text):
            let options = JSONDecodingOptions(
                ignoresUnknownFields: request.testCategory == .jsonIgnoreUnknownParsingTest, types: types)
            do throws(JSONError) { message = try Type(jsonString: text, options: options) } catch {
                return .parseError(error.description)
            }
        case .jspbPayload, .textPayload: return .skipped("only protobuf and JSON are read here")
        case nil: return .runtimeError("the request has no payload")
        }
        return write(message, as: request.requestedOutputFormat)
    }

    private func write(_ message: some Message, as format: Conformance.WireFormat) -> Result {
        switch format {
        case .protobuf: return .protobufPayload(message.serializedBytes(deterministic: true))
        case .json:
            do throws(JSONError) {
                return .jsonPayload(try message.jsonString(options: JSONEncodingOptions(types: types)))
            } catch {
                return .serializeError(error.description)
            }
        default: return .skipped("only protobuf and JSON are written here")
        }
    }
}

/// Message types and those of their fields, each once.
private struct MessageTypeCollector {
    private(set) var types: [any Message.Type] = []
    private var names: Set<String> = []

    mutating func add(_ type: any Message.Type) {
        guard names.insert(type.schema.name).inserted else { return }
        types.append(type)
        for field in type.schema.fields { add(field.kind) }
    }

    private mutating func add(_ kind: FieldKind) {
        switch kind {
        case .message(let type): add(type)
        case .map(_, let value): add(value)
        default: break
        }
    }
}
