import FrameCodec

/// Compares one method of a silo service with the released one.
struct SiloMethodEvolution {
    let old: SiloContract.Method
    let new: SiloContract.Method
    let home: SiloOptions.Home
    let key: String

    func problems(old oldContract: SiloContract, new newContract: SiloContract) -> [SiloEvolution.Problem] {
        var texts: [String] = lifecycle()
        if old.lifecycle == .disabled { return texts.map { problem($0) } }
        if old.request != new.request || old.response != new.response {
            texts.append("has other messages; add a new method beside it and move its callers")
        }
        if old.options.resolver != new.options.resolver {
            texts.append(
                "has another resolver: callers of before do not fill what it looks at; add a new method beside it")
        }
        if Self.strictness(new.options.idempotency) > Self.strictness(old.options.idempotency) {
            texts.append(
                "may be repeated less than before: callers of before still repeat it; add a new method beside it")
        }
        texts += result(oldContract.result(of: old), newContract.result(of: new))
        return texts.map { problem($0) }
    }

    private func problem(_ text: String) -> SiloEvolution.Problem {
        SiloEvolution.Problem(element: "\(key).\(old.name)", text: text)
    }

    /// active -> deprecated -> disabled, one step for each release; back at any time.
    private func lifecycle() -> [String] {
        guard old.lifecycle == .active, new.lifecycle == .disabled else { return [] }
        return [
            "went from active to disabled at once; release it as LIFECYCLE_DEPRECATED first, or switch it off at "
                + "run time"
        ]
    }

    /// read-only, idempotent by key, once: the further, the less a caller may do.
    private static func strictness(_ value: SiloOptions.Idempotency) -> Int {
        switch value {
        case .readOnly: 0
        case .byKey: 1
        default: 2
        }
    }

    private func result(
        _ old: Descriptors.FieldDescriptorProto?, _ new: Descriptors.FieldDescriptorProto?
    ) -> [String] {
        guard self.old.options.returns == self.new.options.returns else {
            return ["returns another part of its answer; add a new method beside it"]
        }
        guard let old, let new else { return [] }
        switch (old.hasPresence, new.hasPresence) {
        case (false, true) where home == .cell:
            return [
                "its result became optional: cells are deployed first, and control of before takes nothing for a "
                    + "value; "
                    + "add a new method beside it"
            ]
        case (true, false):
            return [
                "its result is no longer optional, but servers of before still leave it out; add a new method beside it"
            ]
        default: return []
        }
    }
}

/// Compares the messages that a method's request or response is made of.
struct SiloMessageEvolution {
    let old: SiloContract
    let new: SiloContract
    let home: SiloOptions.Home

    func problems(
        of name: String, isRequest: Bool, _ seen: inout Set<String>
    ) -> [SiloEvolution.Problem] {
        guard seen.insert("\(name) \(isRequest) \(home.rawValue)").inserted, let before = old.messages[name],
            let now = new.messages[name], !name.hasPrefix(".google.")
        else { return [] }
        var problems: [SiloEvolution.Problem] = []
        for field in before.field {
            let element = "\(name.dropFirst()).\(field.name ?? "")"
            guard let current = now.field.first(where: { $0.number == field.number }) else {
                problems.append(
                    .init(
                        element: element,
                        text: "was removed: callers of before still use it; keep it, deprecated, until "
                        + "every method that has it is disabled"))
                continue
            }
            if let text = change(field, current) { problems.append(.init(element: element, text: text)) }
            if isRequest, let text = requirement(field.isRequiredArgument, current.isRequiredArgument) {
                problems.append(.init(element: element, text: text))
            }
            if let type = field.typeName, !type.isEmpty {
                problems += self.problems(of: type, isRequest: isRequest, &seen)
            }
        }
        for field in now.field where isRequest && field.isRequiredArgument {
            guard !before.field.contains(where: { $0.number == field.number }) else { continue }
            if let text = requirement(false, true) {
                problems.append(.init(element: "\(name.dropFirst()).\(field.name ?? "")", text: text))
            }
        }
        return problems
    }

    private func change(_ old: Descriptors.FieldDescriptorProto, _ new: Descriptors.FieldDescriptorProto) -> String? {
        if old.name != new.name {
            return
                "was renamed to \(new.name ?? ""): resolvers, JSON and callers go by the name; add a new field instead"
        }
        if old.type != new.type || old.typeName != new.typeName || (old.label == .repeated) != (new.label == .repeated)
        {
            return "has another type; add a new field instead"
        }
        return nil
    }

    /// Whether the new server would refuse what an old caller sends, or an old server what a new caller leaves out.
    private func requirement(_ old: Bool, _ new: Bool) -> String? {
        switch (old, new, home) {
        case (false, true, .cell):
            "became required: cells are deployed first, and control of before does not send it; keep it optional until "
                + "control has been released once with it"
        case (true, false, .control):
            "is no longer required: cells are deployed first, and control of before refuses calls without it; release "
                + "control once before cells leave it out"
        default: nil
        }
    }
}
