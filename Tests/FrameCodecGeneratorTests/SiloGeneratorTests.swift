import FrameCodec
import Testing

@testable import FrameCodecGenerator

/// A file with one silo service `Desk`, to be broken in every way.
struct SiloFile {
    var service = SiloOptions.ServiceOptions(key: "desk", home: .cell)
    var hasServiceOptions = true
    var method = SiloOptions.MethodOptions(resolver: .byOrganizationID("organization_id"))
    var request: [Field] = [Field("organization_id", 1, .int64), Field("update", 2, .message, typeName: ".s.Update")]
    var response: [Field] = [Field("answer", 1, .message, typeName: ".s.Update"), Field("count", 2, .int64)]
    var update: [Field] = [Field("organization_id", 1, .int64), Field("name", 2, .string)]
    /// Values of the enum `Kind`; without any there is none.
    var kinds: [String] = []
    var isStream = false

    static func extended<M: Message>(_ type: M.Type, _ number: Int, _ payload: [UInt8]) throws -> M {
        let tag = UInt64(number) << 3 | 2
        return try M(serializedBytes: varint(tag) + varint(UInt64(payload.count)) + payload)
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    func file(name: String = "s.proto", package: String = "s") throws -> File {
        let methodOptions = try Self.extended(Descriptors.MethodOptions.self, 50500, method.serializedBytes())
        let serviceOptions = try Self.extended(Descriptors.ServiceOptions.self, 50500, service.serializedBytes())
        return File(
            name: name, package: package,
            messageType: [
                MessageType(name: "Ask", field: request), MessageType(name: "Answer", field: response),
                MessageType(name: "Update", field: update),
            ],
            enumType: kinds.isEmpty ? [] : [
                .init(name: "Kind", value: kinds.enumerated().map { .init(name: $1, number: Int32($0)) })
            ],
            service: [
                .init(
                    name: "Desk",
                    method: [
                        .init(
                            name: "Get", inputType: ".\(package).Ask", outputType: ".\(package).Answer",
                            options: methodOptions, serverStreaming: isStream)
                    ],
                    options: hasServiceOptions ? serviceOptions : nil)
            ],
            syntax: "proto3")
    }

    func error() throws -> String { try failure(try file()) }

    func content() throws -> String {
        let response = try generate([try file()])
        return response.error ?? response.file.first { $0.name?.hasSuffix(".silo.swift") == true }?.content ?? "nothing"
    }
}

@Suite struct SiloGeneratorTests {
    private func error(_ change: (inout SiloFile) -> Void) throws -> String {
        var file = SiloFile()
        change(&file)
        return try file.error()
    }

    @Test("a declaration that is in order makes a file of its own, and no rpc.swift")
    func good() throws {
        let response = try generate([try SiloFile().file()])
        #expect(response.error == nil)
        #expect(response.file.map { $0.name ?? "" } == ["s.pb.swift", "s.silo.swift"])
    }

    @Test("a cell's method without resolver is refused")
    func noResolver() throws {
        #expect(
            try error { $0.method.resolver = nil }
                == "s.proto: Desk.Get: runs in a cell and does not say in which; add a resolver to (silo.method), "
                    + "such as "
                + "by_organization_id: \"organization_id\"")
    }

    @Test("a resolver on a service of control is refused")
    func controlResolver() throws {
        #expect(
            try error { $0.service.home = .control }.contains(
                "lives in control, of which there is one: remove the resolver"))
    }

    @Test("a resolver whose field does not exist is refused")
    func missingField() throws {
        #expect(
            try error { $0.method.resolver = .byOrganizationID("organisation") }
                == "s.proto: Desk.Get: by_organization_id: \"organisation\": Ask has no field organisation; "
                + "name a field of the request")
        #expect(
            try error { $0.method.resolver = .byOrganizationSlug("update.slug") }
                .contains("by_organization_slug: \"update.slug\": Update has no field slug"))
        #expect(
            try error { $0.method.resolver = .byOrganizationID("organization_id.id") }
                .contains("organization_id is not a single message; only such fields can be looked into"))
    }

    @Test("a resolver whose field has the wrong type is refused")
    func wrongType() throws {
        #expect(
            try error { $0.method.resolver = .byOrganizationID("update") }
                .contains("update must be a plain int64 field (not repeated, not optional, in no oneof)"))
        #expect(
            try error { $0.method.resolver = .byOrganizationSlug("organization_id") }
                .contains("organization_id must be a plain string field"))
        #expect(
            try error { $0.request[0] = Field("organization_id", 1, .int64, .repeated) }
                .contains("must be a plain int64 field"))
        #expect(
            try error { $0.method.resolver = .byCellName(.init(field: "update.name")) }
                .contains("by_cell_name names a field of the request itself"))
    }

    @Test("none_if_mapping_not_found on a result that is not optional is refused")
    func noneFlag() throws {
        let text = "none_if_mapping_not_found needs an optional result"
        #expect(try error { $0.method.noneIfMappingNotFound = true }.contains(text))
        #expect(
            try error {
                $0.method.noneIfMappingNotFound = true
                $0.method.returns = "count"
            }.contains(text))
        #expect(
            try error {
                $0.method.noneIfMappingNotFound = true
                $0.service.home = .control
                $0.method.resolver = nil
            }.contains("is for cells' methods"))
        #expect(
            try error {
                $0.method.noneIfMappingNotFound = true
                $0.method.returns = "answer"
            } == "no error")
        #expect(try error { $0.method.returns = "anser" }.contains("returns: \"anser\": Answer has no such field"))
    }

    @Test("two services of one key are refused, in whatever files they are")
    func duplicateKeys() throws {
        var update = SiloFile()
        update.request[1].typeName = ".t.Update"
        update.response[0].typeName = ".t.Update"
        let files = [try SiloFile().file(), try update.file(name: "t.proto", package: "t")]
        #expect(
            try generate(files, parameter: "layout=tree").error
                == "t.proto: Desk: has the key \"desk\" of s.Desk; every silo service needs a key of its own")
    }

    @Test("a field that looks like a secret is refused without redact or a reason", arguments: [
        "api_token", "secret", "signing_key", "config", "metadata", "password", "extra_data",
    ])
    func secrets(_ name: String) throws {
        let text = "looks like a secret and would show in logs; add [(silo.redact) = true], or "
        #expect(try error { $0.update.append(Field(name, 3, .string)) }.contains("Update.\(name): \(text)"))
        var redacted = Field(name, 3, .string)
        redacted.options = try Descriptors.FieldOptions(serializedBytes: SiloFile.varint(50502 << 3) + [1])
        #expect(try error { $0.update.append(redacted) } == "no error")
        var debugRedacted = Field(name, 3, .string)
        debugRedacted.options = try Descriptors.FieldOptions(serializedBytes: [0x80, 1, 1])
        #expect(try error { $0.update.append(debugRedacted) } == "no error")
        var waived = Field(name, 3, .string)
        waived.options = try SiloFile.extended(Descriptors.FieldOptions.self, 50500, Array("not one".utf8))
        #expect(try error { $0.update.append(waived) } == "no error")
    }

    @Test("numbers and names that only contain such a word are no secrets", arguments: ["keyboard", "tokenizer"])
    func noSecrets(_ name: String) throws {
        #expect(try error { $0.update.append(Field(name, 3, .string)) } == "no error")
        #expect(try error { $0.update.append(Field("api_key_id", 3, .int64)) } == "no error")
    }

    @Test("(silo.redact) becomes debug_redact in the embedded descriptor")
    func redact() throws {
        var file = SiloFile()
        var field = Field("token", 3, .string)
        field.options = try Descriptors.FieldOptions(serializedBytes: SiloFile.varint(50502 << 3) + [1])
        file.update.append(field)
        let content = try #require(try generate([try file.file()]).file.first?.content)
        let line = try #require(content.split(separator: "\n").last { $0.contains("base64: \"") })
        let base64 = try #require(line.split(separator: "base64: \"").last?.split(separator: "\"").first)
        let bytes = try #require(Base64.decode(Array(base64.utf8)))
        let descriptor = try File(serializedBytes: bytes)
        #expect(descriptor.messageType[2].field[2].options?.unknownFields.lastVarint(field: 16) == 1)
    }

    @Test("a service needs key and home, and methods of silo services are unary")
    func service() throws {
        #expect(try error { $0.service.key = "" }.contains("give it a unique key of 1 to 48 characters"))
        #expect(try error { $0.service.key = "Desk" }.contains("give it a unique key"))
        #expect(try error { $0.service.home = .unspecified }.contains("says no home; add home: HOME_CONTROL"))
        #expect(try error { $0.isStream = true }.contains("methods of silo services are unary"))
        #expect(try error { $0.hasServiceOptions = false }.contains("add option (silo.service) with key and home"))
    }

    @Test("labelled parameters, delegate, declared methods and dispatch have the agreed shape", arguments: [
            "public protocol Desk: Sendable {\n    func get(organizationID: Int64, update: Update?) async throws -> "
                + "Answer\n}",
        "extension Desk {\n    public func get(organizationID: Int64) async throws -> Answer {\n"
            + "        try await get(organizationID: organizationID, update: nil)\n",
        "        serviceKey: \"desk\", home: .cell, resolver: .organizationID(field: \"organization_id\"),\n"
            + "        returnsNoneIfUnmapped: false, idempotency: .once,\n"
            + "        timeout: .milliseconds(5000), retries: 2, lifecycle: .active\n",
        "public struct DeskDelegate: Desk {",
        "        let _route = try await link.route(DeskMethod.get, .organizationID(organizationID))\n",
        "            let _request = Ask(organizationID: organizationID, update: update)\n"
            + "            let _answer: Answer = try await link.call(_hop, _request)\n            return _answer\n",
        "public struct DeskDispatch: SiloServiceDispatch {",
            "            SiloHandler(DeskMethod.get, silo, target: { request in "
                + ".organizationID(request.organizationID) }) {\n"
            + "                (request: Ask) -> Answer in\n"
            + "                try await service.get(organizationID: request.organizationID, update: request.update)\n",
    ])
    func shape(_ piece: String) throws {
        let content = try SiloFile().content()
        #expect(content.contains(piece), "\(content)")
    }

    @Test("what a resolver looks into must be given")
    func required() throws {
        var file = SiloFile()
        file.method.resolver = .byOrganizationID("update.organization_id")
        file.method.noneIfMappingNotFound = true
        file.method.returns = "answer"
        let content = try file.content()
        #expect(content.contains("func get(organizationID: Int64, update: Update) async throws -> Update?"))
        #expect(content.contains("link.routeOrNil(DeskMethod.get, .organizationID(update.organizationID))"))
        #expect(content.contains("request in .organizationID(request.update?.organizationID ?? 0)"))
        #expect(content.contains("update: try SiloArgument.required(request.update, \"update\")"))
        #expect(content.split(separator: "\n").allSatisfy { $0.count <= 115 })
    }
}
