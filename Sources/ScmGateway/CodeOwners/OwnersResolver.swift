/// Who owns a path by the rules of a file.
struct OwnersResolver: Sendable {
    /// What the rules say of one path.
    struct Answer: Sendable, Hashable {
        /// Owners of the deciding rules, in the order of the sections, without repeats.
        var owners: [CodeOwnerName] = []
        /// The rule that decided, or one for each section.
        var rules: [OwnersRule] = []
        /// A rule decided, and nobody owns the path.
        var isExcluded: Bool { !rules.isEmpty && owners.isEmpty }
    }

    /// The rules that decide together; for GitLab one of many sections.
    fileprivate struct Group: Sendable {
        var rules: [OwnersRule] = []
        var index = OwnersIndex([])
        var exclusions: [(rule: OwnersRule, pattern: OwnersPattern)] = []
    }

    private let groups: [Group]

    init(_ rules: [OwnersRule], dialect: OwnersDialect) {
        var order: [String] = []
        var sections: [String: Group] = [:]
        for rule in rules {
            let name = dialect.hasSections ? rule.section : ""
            if sections[name] == nil { order.append(name) }
            if rule.isExclusion {
                sections[name, default: Group()].exclusions
                    .append((rule, OwnersPattern(rule.pattern, style: dialect.patterns)))
            } else {
                sections[name, default: Group()].rules.append(rule)
            }
        }
        groups = order.compactMap { name in
            guard var group = sections[name] else { return nil }
            group.index = OwnersIndex(group.rules.map { OwnersPattern($0.pattern, style: dialect.patterns) })
            return group
        }
    }

    func owners(of path: String) -> Answer { owners(ofAny: [path]) }

    /// Who owns something that has several names, such as a frame's file name and absolute path: a rule matches when it
    /// matches any. A rule without owners that comes last decides, too: nobody owns the path.
    func owners(ofAny paths: [String]) -> Answer {
        let paths = paths.map(OwnersPath.init)
        var answer = Answer()
        for group in groups {
            guard let rule = group.decision(paths) else { continue }
            answer.rules.append(rule)
            for owner in rule.owners where !answer.owners.contains(owner) { answer.owners.append(owner) }
        }
        return answer
    }
}

extension OwnersResolver.Group {
    /// What an exclusion takes out of its section no later rule brings back.
    fileprivate func decision(_ paths: [OwnersPath]) -> OwnersRule? {
        if let exclusion = exclusions.last(where: { excluded in paths.contains(where: excluded.pattern.matches) }) {
            return exclusion.rule
        }
        return paths.compactMap(index.lastMatch).max().map { rules[$0] }
    }
}
