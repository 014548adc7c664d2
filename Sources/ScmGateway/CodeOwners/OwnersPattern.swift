/// A compiled pattern of a code owners file.
struct OwnersPattern: Sendable, Hashable {
    /// How a dialect's patterns match.
    enum Style: Sendable {
        /// Like gitignore: a pattern names an entry and everything below it; without an inner `/` anywhere in the tree.
        case entry
        /// GitLab: a pattern names whole paths; without a leading `/` anywhere in the tree; `dir/` is all below.
        case wholePath
    }

    enum Segment: Sendable, Hashable {
        case name([UInt8])
        case glob(OwnersGlob)
        /// `**/`: any number of segments.
        case anySegments
        /// `**` at the end: at least one character, `/` included.
        case anything
    }

    /// What may follow the last segment.
    enum End: Sendable, Hashable {
        /// Nothing, or `/` and more.
        case entry
        /// `/` and possibly more.
        case below
        case path
    }

    let segments: [Segment]
    /// An absolute path may begin with a `/` that the pattern does not have.
    let allowsLeadingSlash: Bool
    let end: End

    /// `\x` stands for `x` itself; sets are GitLab's only.
    init(_ text: String, style: Style) {
        let bytes = Array(text.utf8)
        guard bytes != [UInt8(ascii: "/")] else {
            // Absolute paths: their first segment is empty.
            (segments, allowsLeadingSlash, end) = ([.name([])], false, .below)
            return
        }
        let isRooted = bytes.first == UInt8(ascii: "/")
        let isFolder = bytes.count > 1 && bytes.last == UInt8(ascii: "/")
        let inner = bytes.dropFirst(isRooted ? 1 : 0).dropLast(isFolder ? 1 : 0)
        let hasInnerSlash = isRooted || inner.contains(UInt8(ascii: "/"))
        var segments = Self.segments(inner, sets: style == .wholePath)
        switch style {
        case .entry:
            if !hasInnerSlash, segments.first != .anySegments { segments.insert(.anySegments, at: 0) }
            let isListing =
                !isFolder && hasInnerSlash && inner.last == UInt8(ascii: "*") && segments.last?.isAnyName == true
            end = isFolder ? .below : isListing ? .path : .entry
        case .wholePath:
            if !isRooted { segments.insert(.anySegments, at: 0) }
            if isFolder { segments.append(.anything) }
            end = .path
        }
        self.segments = segments
        allowsLeadingSlash = isRooted
    }

    private static func segments(_ inner: ArraySlice<UInt8>, sets: Bool) -> [Segment] {
        let parts = inner.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            if part.elementsEqual("**".utf8) { return index == parts.count - 1 ? .anything : .anySegments }
            let glob = OwnersGlob(tokens(part, sets: sets))
            return glob.literal.map(Segment.name) ?? .glob(glob)
        }
    }

    private static func tokens(_ part: ArraySlice<UInt8>, sets: Bool) -> [OwnersGlob.Token] {
        var tokens: [OwnersGlob.Token] = []
        var rest = part
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"): tokens.append(.byte(rest.popFirst() ?? byte))
            case UInt8(ascii: "?"): tokens.append(.anyCharacter)
            case UInt8(ascii: "*"): if tokens.last != .anyRun { tokens.append(.anyRun) }
            case UInt8(ascii: "["):
                if sets, let set = set(&rest) { tokens.append(set) } else { tokens.append(.byte(byte)) }
            default: tokens.append(.byte(byte))
            }
        }
        return tokens
    }

    /// The set behind a `[`; nil, and nothing taken, when it is not closed.
    private static func set(_ rest: inout ArraySlice<UInt8>) -> OwnersGlob.Token? {
        guard let close = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return nil }
        var members = rest[rest.startIndex..<close]
        rest = rest[(close + 1)...]
        let isNegated = members.first == UInt8(ascii: "!") || members.first == UInt8(ascii: "^")
        if isNegated { members = members.dropFirst() }
        var ranges: [ClosedRange<UInt8>] = []
        while let low = members.popFirst() {
            guard members.count >= 2, members.first == UInt8(ascii: "-"), let high = members.dropFirst().first else {
                ranges.append(low...low)
                continue
            }
            members = members.dropFirst(2)
            if low <= high { ranges.append(low...high) }
        }
        return .set(ranges, isNegated: isNegated)
    }
}

extension OwnersPattern.Segment {
    /// `*`
    var isAnyName: Bool {
        if case .glob(let glob) = self { glob.tokens == [.anyRun] } else { false }
    }
}

/// A path and where its segments are, found once for all patterns.
struct OwnersPath: Sendable {
    let bytes: [UInt8]
    let segments: [ArraySlice<UInt8>]

    init(_ text: String) {
        bytes = Array(text.utf8)
        segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }
}

extension OwnersPattern {
    func matches(_ path: OwnersPath) -> Bool {
        if matches(path.segments[...]) { return true }
        return allowsLeadingSlash && path.segments.first?.isEmpty == true && matches(path.segments.dropFirst())
    }

    /// Goes back to the last `**/` only: an earlier one could not match more.
    private func matches(_ path: ArraySlice<ArraySlice<UInt8>>) -> Bool {
        var index = 0
        var position = path.startIndex
        var retry: (index: Int, position: Int)?
        while true {
            if index == segments.count, isEnd(path[position...]) { return true }
            if index < segments.count, case .anySegments = segments[index] {
                retry = (index, position)
                index += 1
            } else if index < segments.count, case .anything = segments[index] {
                return path[position...].count > 1 || path[position...].first?.isEmpty == false
            } else if index < segments.count, position < path.endIndex, Self.matches(segments[index], path[position]) {
                index += 1
                position += 1
            } else if let last = retry, last.position < path.endIndex {
                retry = (last.index, last.position + 1)
                (index, position) = (last.index + 1, last.position + 1)
            } else {
                return false
            }
        }
    }

    private func isEnd(_ rest: ArraySlice<ArraySlice<UInt8>>) -> Bool {
        switch end {
        case .entry: true
        case .below: !rest.isEmpty
        case .path: rest.isEmpty
        }
    }

    private static func matches(_ segment: Segment, _ name: ArraySlice<UInt8>) -> Bool {
        switch segment {
        case .name(let bytes): name.elementsEqual(bytes)
        case .glob(let glob): glob.matches(name)
        case .anySegments, .anything: false
        }
    }
}
