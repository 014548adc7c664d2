import FrameCodec

/// Options that descriptors do not know, which is what every extension is for us.
struct ExtensionFields {
    private let fields: UnknownFields?

    init(_ fields: UnknownFields?) { self.fields = fields }

    func varint(_ number: Int) -> UInt64? { fields?.lastVarint(field: number) }

    /// The payloads of all occurrences one after the other: of a message that is their merger.
    func bytes(_ number: Int) -> [UInt8]? {
        guard let fields, !fields.isEmpty else { return nil }
        let wanted = UInt32(truncatingIfNeeded: number) << 3 | 2
        return fields.bytes.withUnsafeBytes { memory -> [UInt8]? in
            var reader = WireReader(memory)
            var found: [UInt8]?
            var others = UnknownFields()
            // What is stored was well formed when it came in, so reading it again cannot fail.
            while let tag = try? reader.nextTag() {
                if tag == wanted {
                    guard let value = try? reader.readLengthDelimited() else { break }
                    found = (found ?? []) + Array(value)
                } else {
                    guard (try? reader.readUnknown(tag, into: &others)) != nil else { break }
                }
            }
            return found
        }
    }

    func string(_ number: Int) -> String? { bytes(number).map { String(decoding: $0, as: UTF8.self) } }
}

/// The extensions of `silo/options.proto`.
enum SiloExtension {
    static let service = 50500
    static let method = 50500
    static let fieldNotSecret = 50500
    static let fieldRequired = 50501
    static let fieldRedact = 50502
}

extension Descriptors.ServiceDescriptorProto {
    /// nil for a service that is no silo service.
    var siloOptions: SiloOptions.ServiceOptions? {
        ExtensionFields(options?.unknownFields).bytes(SiloExtension.service)
            .flatMap { try? SiloOptions.ServiceOptions(serializedBytes: $0) }
    }
}

extension Descriptors.MethodDescriptorProto {
    var siloOptions: SiloOptions.MethodOptions? {
        ExtensionFields(options?.unknownFields).bytes(SiloExtension.method)
            .flatMap { try? SiloOptions.MethodOptions(serializedBytes: $0) }
    }
}

extension Descriptors.FieldDescriptorProto {
    /// The reason why it is no secret; nil when none is given.
    var notSecretReason: String? {
        ExtensionFields(options?.unknownFields).string(SiloExtension.fieldNotSecret)
    }
    var isRequiredArgument: Bool {
        ExtensionFields(options?.unknownFields).varint(SiloExtension.fieldRequired) == 1
    }
    var isSiloRedacted: Bool { ExtensionFields(options?.unknownFields).varint(SiloExtension.fieldRedact) == 1 }
    /// Protobuf's own option, field 16 of FieldOptions, or ours.
    var isRedacted: Bool {
        isSiloRedacted || ExtensionFields(options?.unknownFields).varint(16) == 1
    }
}
