/// A pattern for one segment of a path, in bytes: `*`, `?` and, where the dialect has them, `[a-z]` sets.
struct OwnersGlob: Sendable, Hashable {
    enum Token: Sendable, Hashable {
        case byte(UInt8)
        /// One character: a byte that begins one, and its continuation bytes.
        case anyCharacter
        /// Any bytes, none included.
        case anyRun
        case set([ClosedRange<UInt8>], isNegated: Bool)
    }

    let tokens: [Token]
    /// Bytes before the first and after the last wildcard: a quick refusal.
    let prefix: [UInt8]
    let suffix: [UInt8]

    init(_ tokens: [Token]) {
        self.tokens = tokens
        prefix = Self.literals(tokens)
        suffix = Self.literals(tokens.reversed()).reversed()
    }

    private static func literals(_ tokens: some Sequence<Token>) -> [UInt8] {
        var bytes: [UInt8] = []
        for case .byte(let byte) in tokens.prefix(while: { if case .byte = $0 { true } else { false } }) {
            bytes.append(byte)
        }
        return bytes
    }

    /// The bytes, when there is no wildcard.
    var literal: [UInt8]? { prefix.count == tokens.count ? prefix : nil }

    /// Goes back to the last `*` only: an earlier one could not match more.
    func matches(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.starts(with: prefix), text.count >= suffix.count, text.suffix(suffix.count).elementsEqual(suffix)
        else {
            return false
        }
        var token = 0
        var position = text.startIndex
        var retry: (token: Int, position: Int)?
        while position < text.endIndex || token < tokens.count {
            if token < tokens.count, tokens[token] == .anyRun {
                retry = (token, position)
                token += 1
            } else if token < tokens.count, let next = step(tokens[token], text, position) {
                position = next
                token += 1
            } else if let last = retry, last.position < text.endIndex {
                retry = (last.token, last.position + 1)
                (token, position) = (last.token + 1, last.position + 1)
            } else {
                return false
            }
        }
        return true
    }

    /// Where the text goes on when the token matches at `position`.
    private func step(_ token: Token, _ text: ArraySlice<UInt8>, _ position: Int) -> Int? {
        guard position < text.endIndex else { return nil }
        switch token {
        case .byte(let byte): return text[position] == byte ? position + 1 : nil
        case .set(let ranges, let isNegated):
            return ranges.contains { $0.contains(text[position]) } != isNegated ? position + 1 : nil
        case .anyCharacter:
            var next = position + 1
            while next < text.endIndex, text[next] & 0xC0 == 0x80 { next += 1 }
            return next
        case .anyRun: return nil
        }
    }
}
