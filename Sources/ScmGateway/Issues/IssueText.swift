/// Names of people in trackers.
enum TrackerName {
    /// `@Octo` and `octo` are the same login; `Name <Mail@example.org>` is the mail address.
    static func normal(_ name: String) -> String {
        var name = name[...]
        if name.hasSuffix(">"), let open = name.lastIndex(of: "<") {
            name = name[name.index(after: open)...].dropLast()
        }
        while let first = name.first, first == " " || first == "@" { name = name.dropFirst() }
        while name.last == " " { name = name.dropLast() }
        return name.lowercased()
    }
}

enum CommentText {
    /// A comment that somebody else wrote: who, then what, quoted. Without a name the body as it is.
    static func quoted(_ body: String, author: String) -> String {
        guard !author.isEmpty else { return body }
        let lines = body.split(omittingEmptySubsequences: false) { $0.isNewline }
        return "**\(author)** wrote:\n\n" + lines.map { $0.isEmpty ? ">" : "> \($0)" }.joined(separator: "\n")
    }
}
