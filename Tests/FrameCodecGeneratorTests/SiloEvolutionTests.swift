import FrameCodec
import Testing

@testable import FrameCodecGenerator

/// Silo.md section 9: which changes of a released silo service are safe.
@Suite struct SiloEvolutionTests {
    /// The problems that come up when `change` is made to the released file.
    private func problems(
        _ home: SiloOptions.Home, _ prepare: (inout SiloFile) -> Void = { _ in }, _ change: (inout SiloFile) -> Void
    ) throws -> [String] {
        var released = SiloFile()
        released.service.home = home
        if home == .control { released.method.resolver = nil }
        released.method.returns = "count"
        prepare(&released)
        var current = released
        change(&current)
        let sets = try [released, current].map { file in
            Descriptors.FileDescriptorSet(file: [try file.file()]).serializedBytes()
        }
        return try SiloEvolution(released: sets[0], current: sets[1]).problems().map(\.description)
    }

    private static let homes: [SiloOptions.Home] = [.control, .cell]

    @Test("no change is safe", arguments: homes)
    func nothing(_ home: SiloOptions.Home) throws {
        #expect(try problems(home) { _ in } == [])
    }

    @Test("an optional parameter is added: safe", arguments: homes)
    func newParameter(_ home: SiloOptions.Home) throws {
        #expect(try problems(home) { $0.request.append(Field("limit", 3, .int32)) } == [])
    }

    @Test("a field of a model is added: safe", arguments: homes)
    func newField(_ home: SiloOptions.Home) throws {
        #expect(try problems(home) { $0.update.append(Field("colour", 3, .string)) } == [])
    }

    @Test("a new enum value is safe here: enums are open, a reader of before keeps the number", arguments: homes)
    func newEnumValue(_ home: SiloOptions.Home) throws {
        func prepare(_ file: inout SiloFile) {
            file.update.append(Field("kind", 3, .enum, typeName: ".s.Kind"))
            file.kinds = ["KIND_UNSPECIFIED", "KIND_ONE"]
        }
        #expect(try problems(home, prepare) { $0.kinds.append("KIND_TWO") } == [])
        // The field's type, on the other hand, is compared.
        #expect(try problems(home, prepare) { $0.update[2].typeName = ".s.Other" }[0].contains("has another type"))
    }

    /// Section 9.2: how a parameter of control's is swapped while both versions run, a release at a time.
    @Test("a parameter is swapped in steps, each of them safe")
    func swap() throws {
        func required(_ field: Field) throws -> Field {
            var field = field
            field.options = try Descriptors.FieldOptions(serializedBytes: SiloFile.varint(50501 << 3) + [1])
            return field
        }
        func optional(_ name: String, _ number: Int32) -> Field {
            var field = Field(name, number, .string)
            field.proto3Optional = true
            return field
        }
        let start: [Field] = [try required(optional("slug", 1))]
        // The old one may be left out from the release of control on that no longer requires it.
        let both = [optional("slug", 1), optional("name", 2)]
        let found = try problems(.control, { $0.request = start }, { $0.request = both })
        #expect(found.count == 1 && found[0].hasPrefix("s.Ask.slug: is no longer required: cells are deployed first"))
        #expect(try problems(.control, { $0.request = start }, { $0.request = start + [optional("name", 2)] }) == [])
        let marked = try required(both[1])
        #expect(try problems(.control, { $0.request = both }, { $0.request[1] = marked }) == [])
    }

    @Test("a result becomes optional: safe on control, which is deployed last; not on a cell")
    func widenedResult() throws {
        func widen(_ file: inout SiloFile) { file.response[1].proto3Optional = true }
        #expect(try problems(.control) { widen(&$0) } == [])
        #expect(
            try problems(.cell) { widen(&$0) } == [
                "desk.Get: its result became optional: cells are deployed first, and control of before takes "
                    + "nothing for "
                    + "a value; add a new method beside it"
            ])
    }

    @Test("a result is no longer optional: unsafe", arguments: homes)
    func narrowedResult(_ home: SiloOptions.Home) throws {
        let found = try problems(
            home, { $0.response[1].proto3Optional = true }, { $0.response[1].proto3Optional = nil })
        #expect(found.count == 1 && found[0].hasPrefix("desk.Get: its result is no longer optional"))
    }

    @Test("a parameter is removed: unsafe", arguments: homes)
    func removedParameter(_ home: SiloOptions.Home) throws {
        let found = try problems(home) { $0.request.remove(at: 1) }
        #expect(found.count == 1 && found[0].hasPrefix("s.Ask.update: was removed"))
    }

    @Test("a parameter is renamed: unsafe", arguments: homes)
    func renamedParameter(_ home: SiloOptions.Home) throws {
        #expect(
            try problems(home) { $0.request[1].name = "change" } == [
                "s.Ask.update: was renamed to change: resolvers, JSON and callers go by the name; add a new field "
                    + "instead"
            ])
    }

    @Test("a type is changed: unsafe", arguments: homes)
    func changedType(_ home: SiloOptions.Home) throws {
        #expect(
            try problems(home) { $0.update[1].type = .bytes } == [
                "s.Update.name: has another type; add a new field instead"
            ])
        #expect(
            try problems(home) { $0.update[1].label = .repeated } == [
                "s.Update.name: has another type; add a new field instead"
            ])
    }

    @Test("a field of a model is removed: unsafe", arguments: homes)
    func removedField(_ home: SiloOptions.Home) throws {
        let found = try problems(home) { $0.update.remove(at: 1) }
        #expect(found.count == 1 && found[0].hasPrefix("s.Update.name: was removed"))
    }

    @Test("the key is changed: unsafe", arguments: homes)
    func changedKey(_ home: SiloOptions.Home) throws {
        let found = try problems(home) { $0.service.key = "table" }
        #expect(found.count == 1 && found[0].hasPrefix("desk: its key became \"table\""))
    }

    @Test("the service moves to the other silo: unsafe")
    func moved() throws {
        let found = try problems(.control) {
            $0.service.home = .cell
            $0.method.resolver = .byOrganizationID("organization_id")
        }
        #expect(found.contains { $0.hasPrefix("desk: moved to another home") })
    }

    @Test("another resolver, another part of the answer, stricter repeats: unsafe; milder repeats: safe")
    func declarations() throws {
        #expect(try problems(.cell) { $0.method.resolver = .byOrganizationID("update.organization_id") }[0]
            .contains("has another resolver"))
        #expect(try problems(.cell) { $0.method.returns = "answer" }[0].contains("returns another part"))
        #expect(
            try problems(.cell, { $0.method.idempotency = .readOnly }, { $0.method.idempotency = .once })[0]
                .contains("may be repeated less than before"))
        #expect(try problems(.cell, { $0.method.idempotency = .once }, { $0.method.idempotency = .byKey }) == [])
    }

    /// Section 9.2: cells first, control last.
    @Test("a required parameter: added safely on control only, made optional safely on cells only")
    func deployOrder() throws {
        var required = Field("limit", 3, .int32)
        required.proto3Optional = true
        let optional = required
        required.options = try Descriptors.FieldOptions(serializedBytes: SiloFile.varint(50501 << 3) + [1])
        let marked = required
        #expect(try problems(.control) { $0.request.append(marked) } == [])
        #expect(
            try problems(.cell) { $0.request.append(marked) }[0].hasPrefix("s.Ask.limit: became required: cells are"))
        #expect(
            try problems(.cell, { $0.request.append(optional) }, { $0.request[2] = marked })[0].contains(
                "became required"))
        #expect(try problems(.cell, { $0.request.append(marked) }, { $0.request[2] = optional }) == [])
        #expect(
            try problems(.control, { $0.request.append(marked) }, { $0.request[2] = optional })[0]
                .contains("is no longer required"))
    }

    /// Section 9.3: disable, migrate, remove.
    @Test("active, deprecated, disabled, removed: in this order, one release each", arguments: [
        (SiloOptions.Lifecycle.active, SiloOptions.Lifecycle.deprecated, true), (.deprecated, .disabled, true),
            (.active, .disabled, false), (.disabled, .active, true), (.deprecated, .active, true),
            (.unspecified, .disabled, false)
    ])
    func lifecycle(_ before: SiloOptions.Lifecycle, _ after: SiloOptions.Lifecycle, _ isSafe: Bool) throws {
        #expect(
            try problems(.cell, { $0.method.lifecycle = before }, { $0.method.lifecycle = after }).isEmpty == isSafe)
    }

    @Test("only a disabled method may be removed, and its messages with it", arguments: [
        SiloOptions.Lifecycle.active, .deprecated, .disabled,
    ])
    func removal(_ lifecycle: SiloOptions.Lifecycle) throws {
        var released = SiloFile()
        released.method.lifecycle = lifecycle
        let before = Descriptors.FileDescriptorSet(file: [try released.file()]).serializedBytes()
        var file = try released.file()
        file.service[0].method = []
        let withoutMethod = Descriptors.FileDescriptorSet(file: [file]).serializedBytes()
        let withoutAll = Descriptors.FileDescriptorSet().serializedBytes()
        for after in [withoutMethod, withoutAll] {
            let found = try SiloEvolution(released: before, current: after).problems()
            #expect(found.isEmpty == (lifecycle == .disabled))
            #expect(
                found.allSatisfy {
                    $0.description.hasPrefix("desk.Get: was removed while it was in use; release it as")
                })
        }
    }

    @Test("what is no descriptor set is an error")
    func broken() {
        #expect(throws: WireError.self) { try SiloEvolution(released: [0x0A, 5], current: []) }
    }
}
