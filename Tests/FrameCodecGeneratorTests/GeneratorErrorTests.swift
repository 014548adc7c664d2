import FrameCodec
import Testing

@testable import FrameCodecGenerator

@Suite struct GeneratorErrorTests {
    private func file(_ fields: [Field], syntax: String? = "proto3") -> File {
        File(
            name: "a.proto", package: "p", messageType: [MessageType(name: "M", field: fields)],
            syntax: syntax)
    }

    @Test("what is not supported says file, element and what to do")
    func unsupported() throws {
        #expect(
            try failure(file([Field("g", 1, .group, typeName: ".p.M")], syntax: nil))
                == "a.proto: M.g: groups are not supported; use a nested message instead")
        #expect(
            try failure(file([Field("r", 1, .int32, .required)], syntax: "proto2"))
                == "a.proto: M.r: required fields are not supported; "
                + "make it optional, or pass the parameter required=optional"
        )
        #expect(
            try failure(file([], syntax: "editions"))
                == "a.proto: syntax editions: only proto3 and proto2 are supported; write syntax = \"proto3\""
        )
        #expect(
            try failure(file([Field("m", 1, .message, typeName: ".q.Missing")]))
                == "a.proto: M.m: type .q.Missing is not in the input; pass its file with -I to protoc")
        #expect(
            try failure(file([Field("a_b", 1, .int32), Field("a__b", 2, .int32)]))
                == "a.proto: M: a_b and a__b would both be called aB in Swift; rename one")
        let bytes = Field(name: "b", number: 1, label: .optional, type: .bytes, defaultValue: "x")
        #expect(
            try failure(file([bytes], syntax: "proto2")).contains(
                "a.proto: M.b: default values of bytes fields"))
    }

    @Test("extensions of options are for plugins; any other is refused, in a file and in a message")
    func extensions() throws {
        func file(_ extendee: String) -> File {
            File(
                name: "a.proto", package: "p",
                extension: [Field(name: "x", number: 1, label: .optional, type: .int32, extendee: extendee)],
                syntax: "proto2")
        }
        #expect(try failure(file(".google.protobuf.FieldOptions")) == "no error")
        #expect(
            try failure(file(".p.M"))
                == "a.proto: p.x: extensions of p.M are not supported; make it a field of that message")
        var nested = File(name: "a.proto", package: "p", messageType: [MessageType(name: "M")], syntax: "proto2")
        nested.messageType[0].extension = file(".q.N").extension
        #expect(try failure(nested).contains("a.proto: M.x: extensions of q.N"))
    }

    @Test("a type that comes through import public")
    func publicImport() throws {
        let inner = File(
            name: "inner.proto", package: "i", messageType: [MessageType(name: "Inner")], syntax: "proto3")
        let outer = File(
            name: "outer.proto", dependency: ["inner.proto"], publicDependency: [0], syntax: "proto3")
        let user = File(
            name: "user.proto", dependency: ["outer.proto"],
            messageType: [MessageType(name: "User", field: [Field("inner", 1, .message, typeName: ".i.Inner")])],
            syntax: "proto3")
        let response = try generate([inner, outer, user])
        #expect(response.error == nil)
        #expect(response.file.last?.content?.contains("public var inner: Inner?") == true)
    }

    @Test("required=optional takes required fields for optional ones")
    func required() throws {
        let response = try generate(
            [file([Field("r", 1, .int32, .required)], syntax: nil)], parameter: "required=optional")
        #expect(response.file.first?.content?.contains("public var r: Int32?") == true)
    }

    @Test("two enum values of one name")
    func enumNames() throws {
        let enumeration = Descriptors.EnumDescriptorProto(
            name: "E", value: [.init(name: "E_A_B", number: 0), .init(name: "E_A__B", number: 1)])
        #expect(
            try failure(File(name: "a.proto", enumType: [enumeration], syntax: "proto3"))
                == "a.proto: E: E_A_B and E_A__B would both be called aB in Swift; rename one")
    }

    @Test("two files of one name")
    func fileNames() throws {
        let files = ["a/x.proto", "b/x.proto"].map { File(name: $0, syntax: "proto3") }
        #expect(try generate(files).error?.contains("pass the parameter layout=tree") == true)
        #expect(try generate(files, parameter: "layout=tree").file.count == 2)
    }

    @Test(
        "parameters",
        arguments: [
            ("colour=red", "unknown parameter 'colour'; protoc-gen-framecodec --help lists all"),
            ("visibility=secret", "parameter visibility=secret: use one of public, package, internal"),
            ("layout=", "parameter layout=: use one of flat, tree"),
            ("required=maybe", "parameter required=maybe: use error or optional"),
            ("namespace=x", "parameter namespace=x: write namespace=PREFIX:NAME")
        ])
    func parameters(_ parameter: String, _ text: String) throws {
        #expect(try failure(file([]), parameter: parameter) == text)
    }

    @Test("a request that is not one")
    func brokenRequest() {
        #expect(throws: WireError.self) { try Generator.run(serializedRequest: [0x0A, 0x05]) }
    }

    @Test("a type hidden by a nested one is written with its module, or refused without one")
    func hidden() throws {
        let nested = MessageType(
            name: "M", field: [Field("o", 1, .message, typeName: ".p.Other")],
            nestedType: [MessageType(name: "Other")])
        let file = File(
            name: "a.proto", package: "p", messageType: [nested, MessageType(name: "Other")], syntax: "proto3"
        )
        #expect(try failure(file).contains("add the parameter module=a.proto:MODULE"))
        let content = try generate([file], parameter: "module=a.proto:Mine").file.first?.content
        #expect(content?.contains("public var o: Mine.Other?") == true)
    }

    @Test("messages named like the runtime's or Swift's types")
    func runtimeNames() throws {
        let content = try swift([
            MessageType(name: "Message", field: [Field("s", 1, .string)]), MessageType(name: "String")
        ])
        #expect(content.contains("public struct Message: FrameCodec.Message {"))
        #expect(content.contains("public var s: Swift.String = \"\""))
    }

    @Test("proto3 optional is explicit presence without a oneof")
    func proto3Optional() throws {
        let field = Field(
            name: "o", number: 1, label: .optional, type: .int32, oneofIndex: 0, proto3Optional: true)
        let content = try swift([
            MessageType(name: "M", field: [field], oneofDecl: [Descriptors.OneofDescriptorProto(name: "_o")])
        ])
        #expect(content.contains("public var o: Int32?\n"))
        #expect(content.contains("        try v.field(1, Int32Field.self, &o)\n"))
    }

    @Test("help names every parameter")
    func help() {
        for key in ["namespace=", "module=", "visibility=", "layout=", "services=", "required="] {
            #expect(Options.help.contains(key))
        }
    }
}
