import FrameCodec
import Testing

@testable import FrameCodecGenerator

@Suite struct FileDescriptorTests {
    private func decoded(_ file: FileDescriptor) throws -> File {
        try File(serializedBytes: file.serializedBytes)
    }

    @Test("a generated descriptor is the file that protoc read, without comments")
    func contents() throws {
        let file = try decoded(.googleProtobufTimestamp)
        #expect(file.name == "google/protobuf/timestamp.proto")
        #expect(file.package == "google.protobuf")
        #expect(file.messageType.map(\.name) == ["Timestamp"])
        #expect(file.messageType.first?.field.map(\.number) == [1, 2])
        #expect(file.sourceCodeInfo == nil)
    }

    @Test("well-known types, descriptors and the plugin's own protos have theirs")
    func bundled() throws {
        let files: [FileDescriptor] = [
            .googleProtobufAny, .googleProtobufDuration, .googleProtobufEmpty, .googleProtobufFieldMask,
            .googleProtobufStruct, .googleProtobufWrappers, .googleProtobufDescriptor,
            .googleProtobufCompilerPlugin
        ]
        for file in files {
            let parsed = try decoded(file)
            #expect(parsed.name == file.name)
            #expect(parsed.dependency == file.dependencies.map(\.name))
        }
    }

    @Test("an import whose Swift is known is referred to; any other is embedded")
    func imports() throws {
        let options = File(name: "vendor/options.proto", package: "vendor", syntax: "proto3")
        let wellKnown = File(name: "google/protobuf/any.proto", package: "google.protobuf", syntax: "proto3")
        let file = File(
            name: "a/b-c.proto", package: "a",
            dependency: ["google/protobuf/any.proto", "vendor/options.proto"], syntax: "proto3")
        let request = Plugin.CodeGeneratorRequest(
            fileToGenerate: ["a/b-c.proto"], protoFile: [options, wellKnown, file])
        let response = try Plugin.CodeGeneratorResponse(
            serializedBytes: Generator.run(serializedRequest: request.serializedBytes()))
        let content = response.file.last?.content ?? response.error ?? ""
        let embedded = String(decoding: Base64.encode(options.serializedBytes()), as: UTF8.self)
        #expect(
            content.contains(
                """
                extension FileDescriptor {
                    public static let aBC = FileDescriptor(name: "a/b-c.proto", dependencies: [.googleProtobufAny, \
                FileDescriptor(name: "vendor/options.proto", base64: "\(embedded)")], base64: "
                """))
    }

    @Test("an import that is not in the input is an error")
    func missing() throws {
        let error = try failure(File(name: "a.proto", dependency: ["gone.proto"], syntax: "proto3"))
        #expect(
            error == "a.proto: gone.proto: the imported file is not in the input; pass its folder with -I to protoc")
    }
}
