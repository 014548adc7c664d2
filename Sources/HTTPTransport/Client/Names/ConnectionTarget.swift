import NIOCore

/// Where a client connects to, as people write it.
///
/// | text | meaning |
/// |---|---|
/// | `host:port`, `[::1]:port`, `dns:host:port`, `dns:///host:port` | every address of the name, looked up by the
/// system |
/// | `ipv4:1.2.3.4:80,5.6.7.8:80`, `ipv6:[::1]:80,[::2]:80` | a fixed list |
/// | `unix:/path`, `unix:///path` | a Unix socket |
/// | `http://host:port`, `https://host:port` | as `host:port`, port 80 or 443 when missing; `https` asks for TLS |
///
/// Source: gRPC "Name Resolution"; the last row is what people paste from a browser.
public struct ConnectionTarget: Sendable, Hashable, CustomStringConvertible {
    enum Place: Sendable, Hashable {
        case name(host: String, port: Int)
        case addresses([SocketAddress])
    }

    let place: Place
    /// What requests name as their host (`:authority`, `Host`), and what a certificate must be for.
    public var authority: String
    /// The text asked for TLS (`https`), or for clear text (`http`); nil when it did not say.
    package let wantsTLS: Bool?
    public let description: String

    /// Reads one of the forms above.
    ///
    /// - Throws: ``ConnectionTargetError`` that shows the text and says what is wrong with it.
    public init(_ text: String) throws(ConnectionTargetError) {
        if let rest = Self.rest(of: text, after: "unix:") {
            let path = rest.hasPrefix("//") ? String(rest.dropFirst(2)) : String(rest)
            guard path.hasPrefix("/") || !rest.hasPrefix("//"), !path.isEmpty,
                let address = try? SocketAddress(unixDomainSocketPath: path)
            else { throw ConnectionTargetError(text, "the path of a Unix socket is missing or too long") }
            self.init(text, .addresses([address]), authority: "localhost", wantsTLS: nil)
        } else if let rest = Self.rest(of: text, after: "ipv4:") ?? Self.rest(of: text, after: "ipv6:") {
            let list = try rest.split(separator: ",").map { part throws(ConnectionTargetError) in
                try Self.address(part, in: text)
            }
            guard !list.isEmpty else { throw ConnectionTargetError(text, "no address is given") }
            self.init(text, .addresses(list), authority: String(rest.prefix { $0 != "," }), wantsTLS: nil)
        } else {
            try self.init(named: text)
        }
    }

    /// A host name or IP address and a port.
    public init(host: String, port: Int) {
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        self.init(authority, .name(host: host, port: port), authority: authority, wantsTLS: nil)
    }

    /// Addresses that are known already, Unix sockets included.
    public init(addresses: [SocketAddress], authority: String) {
        self.init(
            addresses.map(AddressText.describe).joined(separator: ","), .addresses(addresses), authority: authority,
            wantsTLS: nil)
    }

    private init(_ text: String, _ place: Place, authority: String, wantsTLS: Bool?) {
        self.description = text
        self.place = place
        self.authority = authority
        self.wantsTLS = wantsTLS
    }

    private init(named text: String) throws(ConnectionTargetError) {
        var rest = Substring(text)
        var defaultPort: Int?
        var wantsTLS: Bool?
        if let plain = Self.rest(of: text, after: "http://") {
            (rest, defaultPort, wantsTLS) = (plain, 80, false)
        } else if let secure = Self.rest(of: text, after: "https://") {
            (rest, defaultPort, wantsTLS) = (secure, 443, true)
        } else if let name = Self.rest(of: text, after: "dns:///") ?? Self.rest(of: text, after: "dns:") {
            guard !name.hasPrefix("/") else {
                throw ConnectionTargetError(text, "a name server of one's own (dns://server/name) is not supported")
            }
            rest = name
        }
        if wantsTLS != nil, rest.hasSuffix("/") { rest.removeLast() }
        let (host, port) = try Self.hostAndPort(rest, defaultPort: defaultPort, in: text)
        let shown = host.contains(":") ? "[\(host)]" : host
        let authority = port == defaultPort ? shown : "\(shown):\(port)"
        self.init(text, .name(host: host, port: port), authority: authority, wantsTLS: wantsTLS)
    }

    private static func rest(of text: String, after prefix: String) -> Substring? {
        guard text.lowercased().hasPrefix(prefix) else { return nil }
        return text.dropFirst(prefix.count)
    }

    private static func address(_ part: Substring, in text: String) throws(ConnectionTargetError) -> SocketAddress {
        let (host, port) = try hostAndPort(part, defaultPort: nil, in: text)
        guard let address = try? SocketAddress(ipAddress: host, port: port) else {
            throw ConnectionTargetError(text, "\"\(host)\" is not an IP address")
        }
        return address
    }

    /// `host`, `host:port`, `[v6]`, `[v6]:port`.
    static func hostAndPort(
        _ text: Substring, defaultPort: Int?, in whole: String
    ) throws(ConnectionTargetError) -> (String, Int) {
        var host = text
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw ConnectionTargetError(whole, "a ] is missing") }
            host = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            if !after.isEmpty {
                guard after.hasPrefix(":") else { throw ConnectionTargetError(whole, "only a port may follow the ]") }
                portText = after.dropFirst()
            }
        } else if let colon = text.firstIndex(of: ":") {
            guard text.lastIndex(of: ":") == colon else {
                throw ConnectionTargetError(whole, "an IPv6 address stands in brackets, such as [::1]:8080")
            }
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(isHostByte) else {
            throw ConnectionTargetError(whole, "the host is missing or holds characters that no host has")
        }
        guard let portText else {
            guard let defaultPort else { throw ConnectionTargetError(whole, "a port is missing, such as host:8080") }
            return (String(host), defaultPort)
        }
        guard portText.utf8.allSatisfy(ASCII.isDigit), let port = Int(portText), (1...65_535).contains(port) else {
            throw ConnectionTargetError(whole, "the port is not a number from 1 to 65535")
        }
        return (String(host), port)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        let lowered = ASCII.lowercased(byte)
        if ASCII.isDigit(byte) || lowered >= 0x61 && lowered <= 0x7A { return true }
        // - . _ and, for IPv6, : and the % of a zone
        return byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == ASCII.colon || byte == 0x25
    }
}

/// A target or URL that cannot be understood.
public struct ConnectionTargetError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    package init(_ text: String, _ problem: String) {
        description = "\"\(text.prefix(256))\": \(problem)"
    }
}
