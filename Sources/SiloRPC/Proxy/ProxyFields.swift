import HTTPTransport

/// Which fields of a message go on to the next hop (RFC 9110 section 7.6.1), and which are nobody else's business.
enum ProxyFields {
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "http2-settings",
    ]

    /// The request's fields as the cell gets them, marked as handed on.
    ///
    /// - Parameter address: of the client, as this process sees it.
    static func request(_ fields: HTTPFields, address: String?) -> HTTPFields {
        var sent = kept(fields) { name in
            // `x-forwarded-for` that a client has made up says nothing. Which pages may call is decided here, once.
            name != "host" && name != "content-length" && !name.hasPrefix("x-forwarded-") && name != "forwarded"
                && name != "origin"
        }
        if fields.values(.te).contains(where: { $0.lowercased().contains("trailers") }) { sent.append(.te, "trailers") }
        if let address, let name = HTTPFieldName("x-forwarded-for") { sent.append(name, address) }
        if let name = HTTPFieldName(SiloField.hop) { sent.append(name, "1") }
        return sent
    }

    static func response(_ fields: HTTPFields) -> HTTPFields { kept(fields) { !$0.hasPrefix("access-control-") } }

    static func trailers(_ fields: HTTPFields) -> HTTPFields { kept(fields) { $0 != "content-length" } }

    private static func kept(_ fields: HTTPFields, _ isWanted: (String) -> Bool) -> HTTPFields {
        var named: Set<String> = []
        for value in fields.values(.connection) {
            for name in value.split(separator: ",") {
                named.insert(name.lowercased().filter { $0 != " " && $0 != "\t" })
            }
        }
        var kept = HTTPFields()
        fields.forEach { name, value in
            let text = String(decoding: name, as: UTF8.self)
            guard !hopByHop.contains(text), !named.contains(text), !name.hasPrefix(Silo1Fields.routingPrefix),
                isWanted(text)
            else { return }
            kept.append(name: name, value: value)
        }
        return kept
    }
}
