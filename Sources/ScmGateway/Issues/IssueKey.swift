/// A tracker's key of an issue, taken apart: `owner/repo#12`, GitLab's `host/group:path#12`, Azure's `12`.
///
/// A container that is renamed gives its issues other keys, so keys are never taken apart to find rows.
struct IssueKey: Hashable, Sendable {
    /// How a tracker writes its keys and addresses its pages.
    enum Style: Sendable, CaseIterable {
        case embedded, github, gitlab, bitbucket, azure
    }

    static let maximumCharacterCount = 256
    let style: Style
    /// GitLab's host and group; empty elsewhere.
    let domain: String
    /// `owner/repo`, the path with namespace, or the project's name; empty for Azure.
    let container: String
    let number: Int64

    init(style: Style, domain: String = "", container: String, number: Int64) {
        self.style = style
        self.domain = domain
        self.container = container
        self.number = number
    }

    /// nil for a text that is no key of this style: exactly one `#`, a positive number without sign or leading
    /// zeros, and something before it.
    init?(_ text: String, style: Style) {
        guard text.count <= Self.maximumCharacterCount else { return nil }
        var container = Substring(text).utf8
        var domain = container.prefix(0)
        if style == .gitlab {
            guard let colon = container.firstIndex(of: UInt8(ascii: ":")), colon > container.startIndex else {
                return nil
            }
            domain = container[..<colon]
            container = container[container.index(after: colon)...]
        }
        var digits = container
        if style == .azure {
            container = container.prefix(0)
        } else {
            guard let hash = container.firstIndex(of: UInt8(ascii: "#")), hash > container.startIndex else {
                return nil
            }
            digits = container[container.index(after: hash)...]
            container = container[..<hash]
        }
        guard let number = Self.number(digits) else { return nil }
        self.init(
            style: style, domain: String(Substring(domain)), container: String(Substring(container)), number: number
        )
    }

    /// A positive decimal number as trackers write it; nil for anything else.
    static func number(_ digits: Substring.UTF8View) -> Int64? {
        guard let first = digits.first, first != UInt8(ascii: "0"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int64(Substring(digits))
    }

    var text: String {
        switch style {
        case .embedded, .github, .bitbucket: "\(container)#\(number)"
        case .gitlab: "\(domain):\(container)#\(number)"
        case .azure: "\(number)"
        }
    }

    /// The key for people.
    ///
    /// - Parameter area: Azure's area path.
    func displayName(area: String = "") -> String {
        switch style {
        case .embedded, .github, .bitbucket, .gitlab: "\(container)#\(number)"
        case .azure: area.isEmpty ? "#\(number)" : "\(area)#\(number)"
        }
    }

    /// The page for people; empty for the built-in tracker, which has none.
    ///
    /// - Parameter base: the tracker's address without a slash at its end, such as `https://github.com`.
    func webURL(base: String) -> String {
        switch style {
        case .embedded: ""
        case .github, .bitbucket: "\(base)/\(container)/issues/\(number)"
        case .gitlab: "\(base)/\(container)/-/issues/\(number)"
        case .azure: "\(base)/_workitems/edit/\(number)"
        }
    }
}
