/// The rules of an import in the form of ownership rules, patterns rewritten from repository paths to stack paths.
enum OwnershipText {
    /// One line: `codeowners:PATTERN OWNER ...`.
    ///
    /// - Parameters:
    ///   - identity: who an owner is here; nil for nobody.
    /// - Returns: nil when the form cannot express the pattern, or the rule has owners and none is known here.
    static func line(
        _ rule: OwnersRule, stackRoot: String, sourceRoot: String, identity: (CodeOwnerName) -> String?
    ) -> String? {
        // The form separates words by white space and has neither escapes nor sets.
        guard !rule.pattern.contains(where: { $0.isWhitespace || "!#[".contains($0) }) else { return nil }
        let known = rule.owners.compactMap(identity)
        guard rule.owners.isEmpty || !known.isEmpty else { return nil }
        return (["codeowners:" + stackPattern(rule.pattern, stackRoot, sourceRoot)] + known).joined(separator: " ")
    }

    /// An anchored pattern below `sourceRoot`, moved to `stackRoot`; any other as it is.
    static func stackPattern(_ pattern: String, _ stackRoot: String, _ sourceRoot: String) -> String {
        guard pattern.dropLast().contains("/") else { return pattern }
        let path = pattern.hasPrefix("/") ? pattern.dropFirst() : pattern[...]
        guard path.hasPrefix(sourceRoot) else { return pattern }
        let moved = collapsingSlashes(stackRoot + path.dropFirst(sourceRoot.count))
        // Without a `/` before its end it would match anywhere.
        let isAnchored = moved.dropLast().contains("/")
        return stackRoot.isEmpty && (pattern.hasPrefix("/") || !isAnchored) ? "/" + moved : moved
    }

    /// Runs of `/` become one, but for those of a scheme's `://`.
    private static func collapsingSlashes(_ text: String) -> String {
        var result = ""
        var isAfterColon = false
        for character in text {
            if character == "/", result.last == "/", !isAfterColon { continue }
            if character != "/" { isAfterColon = character == ":" }
            result.append(character)
        }
        return result
    }
}
