import ArgumentParser
import Configuration
import HTTPTransport
import ScmGateway

/// Copies of remote repositories, as flags; environment and file as in ``SettingsOptions``.
struct MirrorOptions: ParsableArguments {
    @Option(
        name: .customLong("mirror-scheme"),
        help: """
            Kind of address that CreateRepository may copy: https, ssh, http, file; repeatable; "none" for none. \
            [env: SCM_GATEWAY_MIRROR_SCHEMES, default: https]
            """
    )
    var schemes: [String] = []

    @Option(
        name: .customLong("mirror-address"),
        help: """
            Block of addresses that are not public and may be copied from, such as 10.0.0.0/8; repeatable. \
            [env: SCM_GATEWAY_MIRROR_ADDRESSES]
            """
    )
    var addresses: [String] = []

    @Option(
        name: .customLong("mirror-port"),
        help: "Port besides 443, 22 and 80; repeatable. [env: SCM_GATEWAY_MIRROR_PORTS, default: 8443]"
    )
    var ports: [Int] = []

    @Option(
        name: .customLong("mirror-interval"),
        help: """
            Seconds between the fetches of a mirror that has no interval of its own; 0 for never. \
            [env: SCM_GATEWAY_MIRROR_INTERVAL, default: 3600]
            """
    )
    var interval: Int?
}

/// The same, effective, and what has no flag: `mirrorSshKey`, `mirrorSshKnownHosts`, `mirrorCa` (paths) and
/// `mirrorAuthorization` (texts `HOST=VALUE`; a flag would show the secret to everybody on the machine).
struct MirrorSettings: Sendable {
    private var schemes: [String] = ["https"]
    private var addresses: [String] = []
    private var ports: [Int] = [8443]
    private var sshKey: String?
    private var sshKnownHosts: String?
    private var authorities: String?
    private var authorization: [String] = []
    private var interval = 3600

    mutating func read(_ reader: ConfigReader) async throws {
        schemes = try await Settings.value("mirrorSchemes") { try await reader.fetchStringArray(forKey: $0) } ?? schemes
        addresses =
            try await Settings.value("mirrorAddresses") { try await reader.fetchStringArray(forKey: $0) } ?? addresses
        ports = try await Settings.value("mirrorPorts") { try await reader.fetchIntArray(forKey: $0) } ?? ports
        interval = try await Settings.value("mirrorInterval") { try await reader.fetchInt(forKey: $0) } ?? interval
        sshKey = try await Settings.value("mirrorSshKey") { try await reader.fetchString(forKey: $0) }
        sshKnownHosts = try await Settings.value("mirrorSshKnownHosts") { try await reader.fetchString(forKey: $0) }
        authorities = try await Settings.value("mirrorCa") { try await reader.fetchString(forKey: $0) }
        authorization =
            try await Settings.value("mirrorAuthorization") {
                try await reader.fetchStringArray(forKey: $0, isSecret: true)
            } ?? []
    }

    mutating func apply(_ flags: MirrorOptions) {
        if !flags.schemes.isEmpty { schemes = flags.schemes }
        if !flags.addresses.isEmpty { addresses = flags.addresses }
        if !flags.ports.isEmpty { ports = flags.ports }
        if let seconds = flags.interval { interval = seconds }
    }

    /// - Throws: `ValidationError` that names the setting.
    func apply(to configuration: inout MirrorConfiguration) throws {
        configuration.schemes = Set(schemes).subtracting(["none"])
        let known = ["https", "ssh", "http", "file"]
        if let unknown = configuration.schemes.first(where: { !known.contains($0) }) {
            throw ValidationError("mirrorSchemes: \"\(unknown)\" is none of \(known.joined(separator: ", ")), none")
        }
        configuration.addresses = AddressPolicy(allowing: try addresses.map { text in
            guard let range = AddressRange(text) else {
                throw ValidationError("mirrorAddresses: \"\(text)\" is no block of addresses like 10.0.0.0/8")
            }
            return range
        })
        if let port = ports.first(where: { !(1...65_535).contains($0) }) {
            throw ValidationError("mirrorPorts: \(port) is no port")
        }
        configuration.additionalPorts = Set(ports)
        guard interval == 0 || MirrorConfiguration.intervals.contains(interval) else {
            let (first, last) = (MirrorConfiguration.intervals.lowerBound, MirrorConfiguration.intervals.upperBound)
            throw ValidationError("mirrorInterval: 0 for never, or \(first) to \(last) seconds")
        }
        configuration.fetchInterval = .seconds(interval)
        configuration.sshKeyFile = sshKey
        configuration.sshKnownHostsFile = sshKnownHosts
        configuration.certificateAuthorityFile = authorities
        for entry in authorization {
            let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[1].utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw ValidationError(
                    "mirrorAuthorization must look like HOST=VALUE, such as git.example.org=Basic ...")
            }
            configuration.authorization[parts[0].lowercased()] = parts[1]
        }
    }
}
