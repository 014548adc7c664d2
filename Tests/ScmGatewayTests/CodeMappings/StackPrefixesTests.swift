import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct StackPrefixesTests {
    @Test("folders by number of names, then of folders, then by bytes; a name counts once")
    func order() {
        let names = [
            "src/a/x.py", "src/b/y.py", "src\\a\\z.py", "/abs/q.py", "plain.py", "src/a/x.py", "src\\a/x.py", "",
        ]
        let found = StackPrefixes.ranked(names)
        #expect(found.map(\.prefix) == ["src/", "src/a/", "/abs/", "src/b/"])
        #expect(found.map(\.count) == [3, 2, 1, 1])
    }

    @Test("no more than 200, of hostile names too")
    func bounds() {
        let many = (0..<300).map { "d\($0)/f" }
        #expect(StackPrefixes.ranked(many).count == 200)
        #expect(StackPrefixes.ranked([String(repeating: "/", count: 4096)]).count == 64)
        #expect(StackPrefixes.ranked([String(repeating: "a/", count: 4096)]).isEmpty)
    }
}
