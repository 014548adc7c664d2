import FrameCodec
@testable import FrameCodecGenerator

typealias File = Descriptors.FileDescriptorProto
typealias MessageType = Descriptors.DescriptorProto
typealias Field = Descriptors.FieldDescriptorProto

extension Field {
    init(_ name: String, _ number: Int32, _ type: Type_, _ label: Label = .optional, typeName: String? = nil)
    {
        self.init(name: name, number: number, label: label, type: type, typeName: typeName)
    }
}

/// Runs the plugin over `files`, all of them to be generated.
func generate(_ files: [File], parameter: String = "") throws -> Plugin.CodeGeneratorResponse {
    let request = Plugin.CodeGeneratorRequest(
        fileToGenerate: files.map { $0.name ?? "" }, parameter: parameter, protoFile: files)
    return try Plugin.CodeGeneratorResponse(
        serializedBytes: Generator.run(serializedRequest: request.serializedBytes()))
}

/// The Swift of one proto3 file with these messages.
func swift(_ messages: [MessageType], parameter: String = "") throws -> String {
    let response = try generate(
        [File(name: "test.proto", package: "test", messageType: messages, syntax: "proto3")],
        parameter: parameter)
    return response.file.last?.content ?? "error: \(response.error ?? "")"
}

/// The error of generating one file.
func failure(_ file: File, parameter: String = "") throws -> String {
    try generate([file], parameter: parameter).error ?? "no error"
}
