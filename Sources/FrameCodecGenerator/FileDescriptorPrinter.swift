import FrameCodec

/// Prints the `FileDescriptor` of a file: its descriptor without comments, as base64 on one line.
struct FileDescriptorPrinter {
    let context: FileContext

    /// `google/protobuf/field_mask.proto` -> `googleProtobufFieldMask`.
    static func member(_ path: String) -> String {
        let stem = path.hasSuffix(".proto") ? path.dropLast(".proto".count) : path[...]
        let words = stem.split { !$0.isLetter && !$0.isNumber || !$0.isASCII }
        let name = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return Naming.identifier(name.prefix(1).lowercased() + name.dropFirst())
    }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        if !printer.text.isEmpty { printer.line() }
        let literal = try literal(of: context.file, open: [context.path])
        try printer.block("extension \(context.runtime("FileDescriptor")) {") {
            printer throws(GeneratorError) in
            printer.line("\(context.access)static let \(Self.member(context.path)) = \(literal)")
        }
    }

    private func literal(
        of file: Descriptors.FileDescriptorProto, open: Set<String>
    ) throws(GeneratorError) -> String {
        var plain = file
        plain.sourceCodeInfo = nil
        for index in plain.messageType.indices { Self.redact(&plain.messageType[index]) }
        let bytes = Base64.encode(plain.serializedBytes(deterministic: true))
        var dependencies: [String] = []
        for path in file.dependency { dependencies.append(try dependency(path, open)) }
        let list = dependencies.isEmpty ? "" : "dependencies: [\(dependencies.joined(separator: ", "))], "
        return "\(context.runtime("FileDescriptor"))(name: \(SwiftLiteral.string(file.name ?? "")), "
            + "\(list)base64: \"\(String(decoding: bytes, as: UTF8.self))\")"
    }

    /// `(silo.redact)` is protobuf's debug_redact for compilers that do not know it yet: the runtime looks for that
    /// one.
    private static func redact(_ message: inout Descriptors.DescriptorProto) {
        for index in message.field.indices where message.field[index].isSiloRedacted {
            let debugRedact: [UInt8] = [0x80, 0x01, 0x01]
            let bytes = (message.field[index].options?.serializedBytes() ?? []) + debugRedact
            if let options = try? Descriptors.FieldOptions(serializedBytes: bytes) {
                message.field[index].options = options
            }
        }
        for index in message.nestedType.indices { redact(&message.nestedType[index]) }
    }

    /// A reference to the generated property; the whole descriptor when nobody says that there is one, as for
    /// files that only define options.
    private func dependency(_ path: String, _ open: Set<String>) throws(GeneratorError) -> String {
        if context.request.fileToGenerate.contains(path) || context.options.hasSwift(path) {
            if let module = context.options.module(of: path) { context.require(module: module) }
            return ".\(Self.member(path))"
        }
        guard let file = context.request.protoFile.first(where: { $0.name == path }), !open.contains(path) else {
            throw context.error(path, "the imported file is not in the input; pass its folder with -I to protoc")
        }
        return try literal(of: file, open: open.union([path]))
    }
}
