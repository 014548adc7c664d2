/// A code owners file, read: rules in the order of the file, and the lines that are none.
///
/// Never fails: what cannot be understood is a problem with its line and reason.
struct OwnersFile: Sendable {
    /// Longest text, in characters. A longer one is refused by whoever reads the file.
    static let maximumCharacterCount = 3_000_000

    let dialect: OwnersDialect
    private(set) var rules: [OwnersRule] = []
    private(set) var problems: [OwnersProblem] = []

    private var section = Section()
    /// Lower case -> as first written: names are the same in any case.
    private var sectionNames: [String: String] = [:]

    private struct Section {
        var name = ""
        var isOptional = false
        var approvals = 0
        var owners: [CodeOwnerName] = []
    }

    init(_ text: String, dialect: OwnersDialect) {
        self.dialect = dialect
        let text = text.first == "\u{FEFF}" ? text.dropFirst() : text[...]
        var number = 0
        // "\r\n" is one character, and a newline.
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            number += 1
            read(line, number)
        }
    }

    private mutating func read(_ line: Substring, _ number: Int) {
        let line = trimmed(line)
        guard let first = line.first, first != "#" else { return }
        if dialect.hasSections, first == "[" || line.hasPrefix("^[") { return readSection(line, number) }
        var tokens = Self.tokens(line)
        if dialect.hasInlineComments, let comment = tokens.firstIndex(of: "#") { tokens.removeSubrange(comment...) }
        guard let pattern = tokens.first else { return }
        if let reason = refusal(pattern) {
            problems.append(OwnersProblem(line: number, text: line, reason: reason))
        } else {
            rules.append(rule(pattern, tokens.dropFirst(), number))
        }
    }

    private func rule(_ pattern: Substring, _ owners: ArraySlice<Substring>, _ number: Int) -> OwnersRule {
        let isExclusion = dialect.hasSections && pattern.hasPrefix("!")
        let named = Self.owners(owners, dialect)
        return OwnersRule(
            line: number, section: section.name, pattern: String(isExclusion ? pattern.dropFirst() : pattern),
            owners: isExclusion ? [] : named.isEmpty ? section.owners : named, isOptionalSection: section.isOptional,
            requiredApprovals: section.approvals, isExclusion: isExclusion
        )
    }

    /// Why the dialect has no such pattern; nil when it has.
    private func refusal(_ pattern: Substring) -> String? {
        if pattern == "!" { return "an exclusion needs a pattern" }
        guard !dialect.hasSections else { return nil }
        if pattern.hasPrefix("!") { return "negated patterns are not supported" }
        if pattern.hasPrefix("\\#") { return "a pattern cannot begin with an escaped #" }
        if pattern.contains("[") {
            return "character ranges are not supported; sections are read in the GitLab dialect only"
        }
        return nil
    }

    private static func owners(_ tokens: ArraySlice<Substring>, _ dialect: OwnersDialect) -> [CodeOwnerName] {
        var owners: [CodeOwnerName] = []
        for token in tokens {
            // GitLab picks out what looks like an owner and skips the other words.
            if dialect.hasSections, !token.hasPrefix("@"), !CodeOwnerName.isEmail(String(token)) { continue }
            let owner = CodeOwnerName(String(token), dialect: dialect)
            if !owner.name.isEmpty, !owners.contains(owner) { owners.append(owner) }
        }
        return owners
    }

    /// `[Name]`, `^[Name]`, `[Name][2]`, each with default owners behind it.
    private mutating func readSection(_ line: Substring, _ number: Int) {
        let isOptional = line.hasPrefix("^")
        let body = line.dropFirst(isOptional ? 2 : 1)
        guard let close = body.firstIndex(of: "]"), case let name = trimmed(body[..<close]), !name.isEmpty else {
            return problems.append(
                OwnersProblem(
                    line: number, text: line, reason: "a section's header is [NAME], ^[NAME] or [NAME][APPROVALS]")
            )
        }
        var rest = body[body.index(after: close)...]
        var approvals = 0
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]"), let count = UInt16(rest[..<end].dropFirst()) {
            approvals = Int(count)
            rest = rest[rest.index(after: end)...]
        }
        let known = sectionNames[name.lowercased()] ?? String(name)
        sectionNames[name.lowercased()] = known
        section = Section(
            name: known, isOptional: isOptional, approvals: isOptional ? 0 : approvals,
            owners: Self.owners(Self.tokens(rest)[...], dialect)
        )
    }

    /// Words between white space that no backslash escapes.
    static func tokens(_ line: Substring) -> [Substring] {
        var tokens: [Substring] = []
        var start: Substring.Index?
        var isEscaped = false
        for index in line.indices {
            let character = line[index]
            if character.isWhitespace, !isEscaped {
                if let begin = start { tokens.append(line[begin..<index]) }
                start = nil
            } else if start == nil {
                start = index
            }
            isEscaped = character == "\\" && !isEscaped
        }
        if let start { tokens.append(line[start...]) }
        return tokens
    }

    private func trimmed(_ text: Substring) -> Substring {
        let start = text.drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return start.prefix(0) }
        return start[...last]
    }
}
