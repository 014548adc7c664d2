import FrameCodec

/// What is checked over all services of a run: unique keys, and no secret that would show in logs.
struct SiloChecks {
    /// Words of a field's name that make it look like a secret.
    private static let secretWords: Set<String> = [
        "token", "tokens", "secret", "secrets", "key", "keys", "password", "passwords", "nonce", "credential",
        "credentials", "hash", "config", "metadata", "headers"
    ]

    let request: Plugin.CodeGeneratorRequest
    let index: TypeIndex

    func run() throws(GeneratorError) {
        var owners: [String: String] = [:]
        for file in request.protoFile {
            for service in file.service {
                try checkStray(service, file)
                guard let options = service.siloOptions else { continue }
                let name = "\(file.package ?? "").\(service.name ?? "")"
                if let other = owners.updateValue(name, forKey: options.key) {
                    throw GeneratorError(
                        file: file.name ?? "", element: service.name ?? "",
                        "has the key \"\(options.key)\" of \(other); every silo service needs a key of its own"
                    )
                }
                guard request.fileToGenerate.contains(file.name ?? "") else { continue }
                var seen: Set<String> = []
                for method in service.method {
                    try checkSecrets(of: method.inputType ?? "", &seen)
                    try checkSecrets(of: method.outputType ?? "", &seen)
                }
            }
        }
    }

    private func checkStray(
        _ service: Descriptors.ServiceDescriptorProto, _ file: Descriptors.FileDescriptorProto
    ) throws(GeneratorError) {
        guard service.siloOptions == nil, let method = service.method.first(where: { $0.siloOptions != nil }) else {
            return
        }
        throw GeneratorError(
            file: file.name ?? "", element: "\(service.name ?? "").\(method.name ?? "")",
            "has (silo.method), but its service is no silo service; add option (silo.service) with key and home"
        )
    }

    /// Every field of the message and of what it holds.
    private func checkSecrets(of typeName: String, _ seen: inout Set<String>) throws(GeneratorError) {
        guard seen.insert(typeName).inserted, let entry = index[typeName], let message = entry.message,
            !entry.file.hasPrefix("google/")
        else { return }
        for field in message.field {
            // A map's entries are called key and value, whatever the map is called: its own field is looked at.
            if message.options?.mapEntry != true, looksSecret(field), !field.isRedacted,
                (field.notSecretReason ?? "").isEmpty
            {
                throw GeneratorError(
                    file: entry.file, element: "\(message.name ?? "").\(field.name ?? "")",
                    "looks like a secret and would show in logs; add [(silo.redact) = true], or "
                        + "[(silo.not_secret) = \"why it is none\"]"
                )
            }
            if let type = field.typeName, !type.isEmpty { try checkSecrets(of: type, &seen) }
        }
    }

    /// Numbers, truth values and enums are no secrets, whatever they are called.
    private func looksSecret(_ field: Descriptors.FieldDescriptorProto) -> Bool {
        guard field.type == .string || field.type == .bytes || field.type == .message else { return false }
        let words = (field.name ?? "").lowercased().split(separator: "_").map(String.init)
        return words.contains { Self.secretWords.contains($0) } || field.name == "extra_data"
    }
}
