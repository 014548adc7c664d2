import HTTPTransport
import NIOCore
import RPC

/// The page for people: plain files, in the program itself, under `/console/`. They call the server as any browser
/// does, with gRPC-Web, and so see nothing that their key may not see; the files themselves ask for no key.
///
/// A script that found its way into a page could use the key that somebody typed there: the content security policy
/// allows what comes from this server only, and the pages make text of what repositories hold, never HTML.
public enum WebConsole {
    /// Where the console is.
    public static let path = "/console/"

    static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    /// - Parameter contract: a serialised `google.protobuf.FileDescriptorSet` of what the console shows; public.
    public static func routes(contract: [UInt8]) -> [HTTPRoute] {
        let files = pages + [File("contract.binpb", "application/x-protobuf", contract)]
        let byName = Dictionary(files.map { ("\(path)\($0.name)", $0) }) { first, _ in first }
        let page = HTTPRoute(.get, path) { exchange in
            let name = exchange.withPath { String(decoding: $0.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self) }
            answer(exchange, byName[name])
        }
        // People type the server's address, or leave the last slash out.
        return [page] + ["/", "/console"].map { place in
            HTTPRoute(.get, place) { exchange in
                var fields = HTTPFields()
                fields.append(HTTPFieldName(known: "location"), path)
                exchange.sendHead(HTTPResponseHead(status: 302, fields: fields))
                exchange.finish(trailers: nil)
            }
        }
    }

    struct File: Sendable {
        let name: String
        let contentType: String
        let body: ByteBuffer

        init(_ name: String, _ contentType: String, _ bytes: [UInt8]) {
            self.name = name
            self.contentType = contentType
            body = ByteBuffer(bytes: bytes)
        }
    }

    private static func script(_ name: String, _ bytes: [UInt8]) -> File {
        File(name, "text/javascript; charset=utf-8", bytes)
    }

    static let pages = [
        File("", "text/html; charset=utf-8", PackageResources.index_html),
        File("style.css", "text/css; charset=utf-8", PackageResources.style_css),
        File("icon.svg", "image/svg+xml", PackageResources.icon_svg),
        script("app.js", PackageResources.app_js), script("blame.js", PackageResources.blame_js),
        script("commits.js", PackageResources.commits_js), script("describe.js", PackageResources.describe_js),
        script("dom.js", PackageResources.dom_js),
        script("files.js", PackageResources.files_js), script("json.js", PackageResources.json_js),
        script("methods.js", PackageResources.methods_js), script("protobuf.js", PackageResources.protobuf_js),
        script("repositories.js", PackageResources.repositories_js), script("rpc.js", PackageResources.rpc_js),
        script("search.js", PackageResources.search_js),
    ]

    private static func answer(_ exchange: HTTPExchange, _ file: File?) {
        guard let file else { return notFound(exchange) }
        var fields = protection
        fields.append(.contentType, file.contentType)
        // A newer server has newer pages: a browser asks again each time, and gets at most a hundred kilobytes.
        fields.append(.cacheControl, "no-cache")
        exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
        exchange.sendLast(file.body)
    }

    private static func notFound(_ exchange: HTTPExchange) {
        var fields = protection
        fields.append(.contentType, "text/plain; charset=utf-8")
        exchange.sendHead(HTTPResponseHead(status: 404, fields: fields))
        exchange.sendLast(ByteBuffer(string: "no such page; the console is at \(path)\n"))
    }

    private static let protection: HTTPFields = {
        var fields = HTTPFields()
        fields.append(HTTPFieldName(known: "content-security-policy"), contentSecurityPolicy)
        fields.append(HTTPFieldName(known: "x-content-type-options"), "nosniff")
        fields.append(HTTPFieldName(known: "referrer-policy"), "no-referrer")
        fields.append(HTTPFieldName(known: "cross-origin-opener-policy"), "same-origin")
        fields.append(HTTPFieldName(known: "cross-origin-resource-policy"), "same-origin")
        fields.append(HTTPFieldName(known: "permissions-policy"), "camera=(), geolocation=(), microphone=()")
        return fields
    }()
}
