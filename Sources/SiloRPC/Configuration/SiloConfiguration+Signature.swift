import Foundation

/// Keys, switches and identities of the one configuration file.
extension SiloConfiguration {
    /// The keys that a silo signs or verifies with. Secrets of other silos are not read: their files need not be on
    /// this machine.
    ///
    /// - Parameter folder: where relative paths begin: the configuration file's own.
    /// - Throws: ``SiloKeyError``
    public func keys(of address: SiloAddress, folder: String) throws(SiloKeyError) -> [SiloKey] {
        var result: [SiloKey] = []
        for key in keys {
            guard let source = SiloAddress(key.source), let audience = SiloAddress(key.audience) else {
                throw SiloKeyError(
                    "keys: \(key.id): source and audience are \"control\" or \"cell:NAME\", not "
                        + "\"\(key.source)\" and \"\(key.audience)\"")
            }
            guard source == address || audience == address else { continue }
            guard !key.secretFile.isEmpty else { throw SiloKeyError("keys: \(key.id): secretFile is missing") }
            let secret: [UInt8]
            do throws(SiloKeyError) { secret = try SiloKey.secret(file: Self.path(key.secretFile, folder)) } catch {
                throw SiloKeyError("keys: \(key.id): \(error)")
            }
            result.append(try SiloKey(id: key.id, source: source, audience: audience, secret: secret))
        }
        return result
    }

    /// What names something that there is not, and so has no effect: a mistake, or what is left of before.
    ///
    /// - Parameter methods: that this program has.
    public func loose(_ directory: CellDirectory, methods: [SiloMethod]) -> [String] {
        func isThere(_ name: String) -> Bool {
            guard let silo = SiloAddress(name) else { return true }
            return silo == .control || directory.address(of: silo) != nil
        }
        let names = Set(methods.flatMap { [$0.key, $0.serviceKey] })
        var found = keys.flatMap { key in
            [key.source, key.audience].filter { !isThere($0) }.map { "keys: \(key.id): there is no \($0)" }
        }
        found += identities.filter { !isThere($0.silo) }.map { "identities: there is no \($0.silo)" }
        for change in switches {
            if !names.contains(change.method) {
                found.append(
                    "switches: there is no \"\(change.method.prefix(128))\"; `scm-gateway silo methods` lists all")
            }
            found += change.disabledCallers.filter { !isThere($0) }
                .map { "switches: \(change.method): disabledCallers: there is no \($0)" }
        }
        return found
    }

    /// - Throws: ``SiloError/configuration(_:)`` that names the switch.
    public func switchSettings() throws(SiloError) -> [String: SiloSwitches.Setting] {
        var settings: [String: SiloSwitches.Setting] = [:]
        for change in switches {
            guard !change.method.isEmpty, settings[change.method] == nil else {
                throw .configuration("switches: \"\(change.method)\" is empty or there twice")
            }
            let callers = try change.disabledCallers.map { name throws(SiloError) in
                if let caller = SiloAddress(name) { return caller }
                throw .configuration(
                    "switches: \(change.method): disabledCallers are \"control\" or \"cell:NAME\", not "
                        + "\"\(name.prefix(64))\"")
            }
            settings[change.method] = try SiloSwitches.Setting(
                disabledReason: change.disabled ? (change.reason.isEmpty ? "by configuration" : change.reason) : nil,
                disabledCallers: Set(callers),
                disabledPercent: change.disabledPercent == 0 ? 100 : Int(change.disabledPercent),
                timeout: change.timeoutMs == 0 ? nil : .milliseconds(Int64(change.timeoutMs)),
                retries: change.retries.map { Int($0) })
        }
        return settings
    }

    /// How this silo verifies signatures.
    ///
    /// - Throws: ``SiloKeyError``, ``SiloError/configuration(_:)``.
    public func verifierConfiguration(folder: String) throws -> SiloVerifier.Configuration {
        var configuration = SiloVerifier.Configuration()
        for identity in identities {
            guard let silo = SiloAddress(identity.silo), !identity.name.isEmpty else {
                throw SiloError.configuration(
                    "identities: silo is \"control\" or \"cell:NAME\" and name a DNS name or URI, not "
                        + "\"\(identity.silo.prefix(64))\" and \"\(identity.name.prefix(64))\"")
            }
            guard configuration.identities.updateValue(identity.name, forKey: silo) == nil else {
                throw SiloError.configuration("identities: \(silo) is there twice")
            }
        }
        if let rpc0 {
            var secrets: [[UInt8]] = []
            for file in rpc0.secretFiles { secrets.append(try SiloKey.secret(file: Self.path(file, folder))) }
            configuration.rpc0 = try RPC0Verifier(secrets: secrets)
        }
        return configuration
    }

    private static func path(_ path: String, _ folder: String) -> String {
        path.hasPrefix("/") ? path : (folder as NSString).appendingPathComponent(path)
    }
}
