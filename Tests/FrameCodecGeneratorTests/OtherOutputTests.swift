import FrameCodec
import Testing

@testable import FrameCodecGenerator

/// What is not Swift code: the TypeScript client, and the comments.
@Suite struct OtherOutputTests {
    private func file(_ methods: [Descriptors.MethodDescriptorProto] = []) -> File {
        let entry = MessageType(
            name: "NamesEntry", field: [Field("key", 1, .string), Field("value", 2, .int32)],
            options: .init(mapEntry: true))
        let ask = MessageType(
            name: "Ask",
            field: [
                Field("id", 1, .int64), Field("list", 2, .string, .repeated),
                Field("ask", 3, .message, typeName: ".p.v1.Ask"),
                Field("kind", 4, .enum, typeName: ".p.v1.Kind"), Field("bytes", 5, .bytes),
                Field("names", 6, .message, .repeated, typeName: ".p.v1.Ask.NamesEntry"),
                Field(name: "either", number: 7, label: .optional, type: .bool, oneofIndex: 0),
            ],
            nestedType: [entry], oneofDecl: [.init(name: "choice")])
        let values: [Descriptors.EnumValueDescriptorProto] = [
            .init(name: "KIND_UNSPECIFIED", number: 0), .init(name: "KIND_ONE", number: 1),
        ]
        let locations: [Descriptors.SourceCodeInfo.Location] = [
            .init(path: [4, 0], leadingComments: " What is\n wanted. */\n"),
            .init(path: [4, 0, 2, 0], leadingComments: " Whose. \"\"\"# \\(x)\n"),
            .init(path: [5, 0, 2, 1], trailingComments: " The first.\n"),
            .init(path: [6, 0, 2, 0], leadingComments: " Gets it.\n\n Example: {}\n"),
        ]
        return File(
            name: "a/some_file.proto", package: "p.v1", messageType: [ask],
            enumType: [.init(name: "Kind", value: values)], service: [.init(name: "Desk", method: methods)],
            sourceCodeInfo: .init(location: locations), syntax: "proto3")
    }

    private let unary = Descriptors.MethodDescriptorProto(name: "Get", inputType: ".p.v1.Ask", outputType: ".p.v1.Ask")
    private let stream = Descriptors.MethodDescriptorProto(
        name: "Watch", inputType: ".p.v1.Ask", outputType: ".p.v1.Ask", serverStreaming: true)

    @Test("types, tables and client in TypeScript", arguments: [
            "/**\n * What is\n * wanted. * /\n */\nexport interface Ask {\n",
            "  id: bigint;\n  list: string[];\n  ask?: Ask;\n",
        "  kind: Kind;\n  bytes: Uint8Array;\n  names: Record<string, number>;\n  either?: boolean;\n}\n",
            "export type Kind =\n  | \"KIND_UNSPECIFIED\"\n  | \"KIND_ONE\"\n",
            "  Kind: {KIND_UNSPECIFIED: 0, KIND_ONE: 1},\n",
        "[1, \"id\", 3], [2, \"list\", 9, 1], [3, \"ask\", 11, 2, \"Ask\"], [4, \"kind\", 14, 0, \"Kind\"]",
            "[6, \"names\", 11, 4, \"Ask_NamesEntry\"]", "[7, \"either\", 8, 2]",
            "export class DeskClient extends Channel {\n",
            "   * Gets it.\n   *\n   * Example: {}\n   */\n  get(\n    request: Init<Ask>, options: CallOptions = "
                + "{},\n",
        "  ): Promise<Ask> {\n    return this.unary<Ask>(\n      \"/p.v1.Desk/Get\",\n",
        "  ): AsyncIterable<Ask> {\n    return this.stream<Ask>(\n      \"/p.v1.Desk/Watch\",\n",
    ])
    func typeScript(text: String) throws {
        let response = try generate([file([unary, stream])], parameter: "output=typescript")
        #expect(response.file.map(\.name) == ["some_file.ts"])
        let content = response.file.first?.content ?? response.error ?? ""
        #expect(content.contains(text), "\(content.suffix(3000))")
        #expect(!content.contains("export interface Ask_NamesEntry"))
    }

    @Test("what TypeScript cannot have is refused by name")
    func refusals() throws {
        var talk = stream
        talk.clientStreaming = true
        #expect(
            try failure(file([talk]), parameter: "output=typescript").contains("gRPC-Web has no stream of requests"))
        let other = File(name: "b.proto", package: "q", messageType: [MessageType(name: "Ask")], syntax: "proto3")
        var mine = file()
        mine.messageType[0].field.append(Field("other", 8, .message, typeName: ".q.Ask"))
        let request = Plugin.CodeGeneratorRequest(
            fileToGenerate: ["a/some_file.proto"], parameter: "output=typescript", protoFile: [other, mine])
        let response = try Plugin.CodeGeneratorResponse(
            serializedBytes: Generator.run(serializedRequest: request.serializedBytes()))
        #expect(response.error?.contains("the same: Ask") == true)
    }

    @Test("comments as a Swift text")
    func comments() throws {
        let response = try generate([file([unary])], parameter: "output=comments,visibility=internal")
        #expect(response.file.map(\.name) == ["some_file.comments.swift"])
        let content = response.file.first?.content ?? ""
        #expect(content.contains("\nenum SomeFileComments {\n"))
        #expect(content.contains("""
            @p.v1.Desk.Get
             Gets it.
            \(" ")
             Example: {}
            @p.v1.Ask
             What is
             wanted. */
            @p.v1.Ask.id
             Whose. \"\"\" # \\(x)
            @p.v1.Kind.KIND_ONE
             The first.
            """))
    }
}
