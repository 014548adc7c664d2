import HTTPTransport
import NIOCore

/// The address of a remote repository, taken apart and checked: only its parts, put together again, reach git.
struct RemoteAddress: Sendable, Equatable {
    static let maximumByteCount = 2048
    static let schemes = ["https", "http", "ssh", "file"]

    let scheme: String
    /// Of ssh; empty for none.
    let user: String
    /// Lower case; an IPv6 address without brackets; empty for `file`.
    let host: String
    let port: Int
    /// Begins with `/`; percent-encoded as it came.
    let path: String

    /// - Throws: ``GitError/invalidPath(_:)`` with the rule that was broken; the address is not in it, it may hold a
    ///   password.
    init(_ text: String) throws(GitError) {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw GitError.invalidPath("an address has at most \(Self.maximumByteCount) bytes")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !#""'\<>^`{|}?#"#.utf8.contains($0) }) else {
            throw GitError.invalidPath(
                "an address holds no query, no fragment and nothing that must be percent-encoded")
        }
        guard let colon = text.range(of: "://"), let scheme = Self.schemes.first(where: {
            $0 == text[..<colon.lowerBound].lowercased()
        }) else { throw GitError.invalidPath("an address begins with https://, ssh://, http:// or file://") }
        let rest = text[colon.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var path = String(rest[slash...])
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard path.count > 1, !path.hasPrefix("//") else { throw GitError.invalidPath("an address needs a path") }
        self.scheme = scheme
        self.path = path
        let authority = rest[..<slash]
        guard scheme != "file" else {
            guard authority.isEmpty else { throw GitError.invalidPath("a file address begins with file:///") }
            (user, host, port) = ("", "", 0)
            return
        }
        let at = authority.lastIndex(of: "@")
        user = at.map { String(authority[..<$0]) } ?? ""
        guard !user.contains(":") else { throw GitError.invalidPath("an address holds no password") }
        guard user.isEmpty || scheme == "ssh" && Self.isName(user) else {
            throw GitError.invalidPath("only ssh addresses name a user, of letters, digits, \".\", \"_\" and \"-\"")
        }
        (host, port) = try Self.place(
            authority[(at.map { authority.index(after: $0) } ?? authority.startIndex)...], scheme)
    }

    private static func place(_ text: Substring, _ scheme: String) throws(GitError) -> (String, Int) {
        var host = text
        var port = text[text.endIndex...]
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
            guard host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }), host.contains(":") else {
                throw GitError.invalidPath("the host in brackets is no IPv6 address")
            }
        } else if let colon = text.firstIndex(of: ":") {
            (host, port) = (text[..<colon], text[colon...])
            guard isName(host) else { throw GitError.invalidPath("the host is no name and no IP address") }
        } else {
            guard isName(host) else { throw GitError.invalidPath("the host is no name and no IP address") }
        }
        let lower = host.lowercased()
        if port.isEmpty { return (lower, standardPort(scheme)) }
        guard port.hasPrefix(":"), let number = Int(port.dropFirst()), (1...65_535).contains(number) else {
            throw GitError.invalidPath("the port is no number from 1 to 65535")
        }
        return (lower, number)
    }

    private static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "."),
            text.utf8.count <= 253
        else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": true
            default: false
            }
        }
    }

    static func standardPort(_ scheme: String) -> Int { ["https": 443, "http": 80, "ssh": 22][scheme] ?? 0 }

    private var shownHost: String { host.contains(":") ? "[\(host)]" : host }

    /// Host and, unless it is the scheme's, port.
    var place: String { port == Self.standardPort(scheme) ? shownHost : "\(shownHost):\(port)" }

    /// The address in one form; two that mean the same place are the same text.
    var text: String {
        "\(scheme)://\(user.isEmpty ? "" : user + "@")\(place)\(path)"
    }

    /// The last part of the path, without `.git`.
    var defaultName: String { LocalFolder.shown(path.split(separator: "/").last.map(String.init) ?? "mirror") }

    /// Resolves the host once. What git connects to is these addresses and no others, so that a name server cannot say
    /// one thing to us and another to git.
    ///
    /// - Throws: ``MirrorFailure``.
    func vetted(_ configuration: MirrorConfiguration) async throws -> [String] {
        guard configuration.schemes.contains(scheme) else {
            throw MirrorFailure.notAllowed("\(scheme) addresses are not allowed by the setting mirrorSchemes")
        }
        guard scheme != "file" else { return [] }
        guard port == Self.standardPort(scheme) || configuration.additionalPorts.contains(port) else {
            throw MirrorFailure.notAllowed("port \(port) is not allowed by the setting mirrorPorts")
        }
        guard let addresses = try? await SystemResolver(host: host, port: port).resolve(), !addresses.isEmpty else {
            throw MirrorFailure.unreachable
        }
        do {
            for address in addresses { try configuration.addresses.check(address) }
        } catch {
            throw MirrorFailure.notAllowed("the host's address is not public and not in the setting mirrorAddresses")
        }
        return addresses.compactMap(\.ipAddress)
    }
}

/// Why a remote cannot be copied.
enum MirrorFailure: Error, Sendable, Equatable {
    /// By a setting of the operator, named in the text.
    case notAllowed(String)
    case unreachable
    /// The remote says no, or has no such repository.
    case refused
    case tooLarge(limit: Int, knob: String)
    case timedOut(limit: Duration, knob: String)
    case diskFull
    case cancelled
    /// Anything else; the text is for the log.
    case failed(String)
}
