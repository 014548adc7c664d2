/// Which certificate a server shows, by the name that the client asks for (SNI, RFC 6066 section 3).
///
/// The names are those of the certificates, as clients will compare them (RFC 9525 section 6.3): without regard to
/// case; a `*` is the whole first label of a name and stands for exactly one. A name in full goes before a wildcard,
/// and an earlier certificate before a later one.
struct TLSServerIdentities: Sendable {
    private let identities: [LoadedIdentity]
    /// Index of the certificate for a name, and for what follows a wildcard's `*.`.
    private var exact: [String: Int] = [:]
    private var wildcards: [String: Int] = [:]
    /// About the additional certificates, and names that two certificates have.
    private(set) var warnings: [String] = []

    /// Reads the additional files; nil when there are none.
    ///
    /// - Parameter identity: shown to clients that ask for no name, or for an unknown one.
    /// - Throws: ``TLSError``, also about a certificate that no name would ever choose.
    init?(_ identity: LoadedIdentity, additional: [TLSIdentity]) throws(TLSError) {
        if additional.isEmpty { return nil }
        var identities = [identity]
        for other in additional { identities.append(try LoadedIdentity(other, role: "additional certificate")) }
        self.identities = identities
        for (index, identity) in identities.enumerated() {
            let names = identity.names
            guard index == 0 || !names.isEmpty else {
                throw TLSError(
                    .configuration,
                    "\(identity.description) has no DNS name (subjectAltName), so that no client would ever get it")
            }
            if index > 0 { warnings += identity.warnings }
            for name in names { add(name, index) }
        }
    }

    private mutating func add(_ name: String, _ index: Int) {
        let isWildcard = name.hasPrefix("*.")
        let key = isWildcard ? String(name.dropFirst(2)) : name
        guard let earlier = isWildcard ? wildcards[key] : exact[key] else {
            if isWildcard { wildcards[key] = index } else { exact[key] = index }
            return
        }
        guard earlier != index else { return }
        warnings.append(
            "\(name) is in \(identities[earlier].description) and in \(identities[index].description): "
                + "the first is shown")
    }

    /// nil for the first, which needs no change.
    func identity(for name: String) -> LoadedIdentity? {
        let name = name.lowercased()
        let found = exact[name] ?? parent(of: name).flatMap { wildcards[$0] }
        return found.flatMap { $0 == 0 ? nil : identities[$0] }
    }

    private func parent(of name: String) -> String? {
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return nil }
        return String(name[name.index(after: dot)...])
    }
}
