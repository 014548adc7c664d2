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
        try printer.block("extension \(context.runtime("FileDescriptor")) {") {
            printer throws(GeneratorError) in
            let head = "\(context.access)static let \(Self.member(context.path)) = "
            try literal(of: context.file, head: head, tail: "", open: [context.path], to: &printer)
        }
    }

    private func literal(
        of file: Descriptors.FileDescriptorProto, head: String, tail: String, open: Set<String>,
        to printer: inout SourcePrinter
    ) throws(GeneratorError) {
        var plain = file
        plain.sourceCodeInfo = nil
        let bytes = Base64.encode(plain.serializedBytes(deterministic: true))
        printer.line("\(head)\(context.runtime("FileDescriptor"))(")
        try printer.indented { printer throws(GeneratorError) in
            printer.line("name: \(SwiftLiteral.string(file.name ?? "")),")
            if !file.dependency.isEmpty {
                try printer.block("dependencies: [", close: "],") { printer throws(GeneratorError) in
                    for path in file.dependency { try dependency(path, open, to: &printer) }
                }
            }
            printer.line("base64: \"\(String(decoding: bytes, as: UTF8.self))\")\(tail)")
        }
    }

    /// A reference to the generated property; the whole descriptor when nobody says that there is one, as for
    /// files that only define options.
    private func dependency(
        _ path: String, _ open: Set<String>, to printer: inout SourcePrinter
    ) throws(GeneratorError) {
        if context.request.fileToGenerate.contains(path) || context.options.hasSwift(path) {
            if let module = context.options.module(of: path) { context.require(module: module) }
            return printer.line(".\(Self.member(path)),")
        }
        guard let file = context.request.protoFile.first(where: { $0.name == path }), !open.contains(path) else {
            throw context.error(path, "the imported file is not in the input; pass its folder with -I to protoc")
        }
        try literal(of: file, head: "", tail: ",", open: open.union([path]), to: &printer)
    }
}
