/// Pages for people, below the address that a repository's `config` says in `web_url`: local git itself has none. They
/// have the form that GitHub's and GitLab's have.
extension StoredRepository {
    /// Empty when there is none, or what is stored is no address.
    var webURL: String {
        guard let url = config[ConfigRules.webURLKey], ConfigRules.isWebAddress(url) else { return "" }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// Addresses that pages of the repository's files begin with.
    var pages: [String] { [webURL, url].filter { !$0.isEmpty } }

    /// Of a file; empty when the repository has no page.
    func page(_ path: String, at revision: String, line: Int32) -> String {
        let base = webURL
        guard !base.isEmpty else { return "" }
        let place = line > 0 ? "#L\(line)" : ""
        return "\(base)/blob/\(URLPath.encode(revision))/\(URLPath.encode(path))\(place)"
    }

    /// Of a file whose path is what git has, bytes that are not UTF-8 included.
    func page(_ path: PathText, at revision: String, line: Int32) -> String {
        path.raw.isEmpty ? page(path.text, at: revision, line: line) : ""
    }

    /// Of a commit; empty when the repository has no page.
    func page(of commit: ObjectID) -> String {
        let base = webURL
        return base.isEmpty ? "" : "\(base)/commit/\(commit.hex)"
    }
}

/// Paths inside web addresses.
enum URLPath {
    /// Percent-encodes everything but letters, digits, `/`, `@` and the unreserved marks (RFC 3986 section 2.3).
    static func encode(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
