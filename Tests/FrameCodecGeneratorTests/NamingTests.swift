import Testing

@testable import FrameCodecGenerator

@Suite struct NamingTests {
    @Test(
        "fields",
        arguments: [
            ("id", "id"), ("repository_id", "repositoryID"), ("web_url", "webURL"),
            ("commit_sha", "commitSHA"),
            ("parent_ids", "parentIDs"), ("parent_shas", "parentSHAs"), ("url", "url"), ("identity", "identity"),
            ("raw_path", "rawPath"),
            ("default", "`default`"), ("in", "`in`"), ("self", "self_"), ("init", "init_"),
            ("schema", "schema_"),
            ("unknown_fields", "unknownFields_"), ("HTTP", "http"), ("a__b", "aB"), ("line_2", "line2"),
            ("webUrl", "webUrl")
        ])
    func members(_ name: String, _ swift: String) { #expect(Naming.member(name) == swift) }

    @Test(
        "methods",
        arguments: [
            ("GetRepository", "getRepository"), ("URLOf", "urlOf"), ("Do", "do"), ("RPC", "rpc"),
            ("get", "get")
        ])
    func methods(_ name: String, _ swift: String) {
        #expect(Naming.method(name).filter { $0 != "`" } == swift)
    }

    @Test(
        "types",
        arguments: [
            ("Repository", "Repository"), ("Type", "Type_"), ("Any", "`Any`"), ("Self", "Self_"),
            ("lower", "Lower")
        ])
    func types(_ name: String, _ swift: String) { #expect(Naming.type(name) == swift) }

    @Test("enum values lose their enum's name when all have it")
    func enumCases() {
        #expect(
            Naming.enumCases(["PROVIDER_UNSPECIFIED", "PROVIDER_GITHUB_APP"], of: "Provider") == [
                "unspecified", "githubApp"
            ])
        #expect(
            Naming.enumCases(["SCM_PROVIDER_A", "SCM_PROVIDER_URL_ID"], of: "SCMProvider") == ["a", "urlID"])
        #expect(Naming.enumCases(["TYPE_DEFAULT", "OTHER"], of: "Type") == ["typeDefault", "other"])
        #expect(Naming.enumCases(["CODE_1", "CODE_A"], of: "Code") == ["code1", "codeA"])
        #expect(Naming.enumCases(["KIND_DEFAULT", "KIND_SELF"], of: "Kind") == ["`default`", "self_"])
        #expect(Naming.upperSnakeCase("FileStatus2Way") == "FILE_STATUS2_WAY")
    }
}
