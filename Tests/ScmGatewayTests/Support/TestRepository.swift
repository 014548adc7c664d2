import Foundation
import Testing

@testable import ScmGateway

/// A git repository in a temporary folder, made with git itself and removed with the value.
final class TestRepository: Sendable {
    let path: String
    /// Environment of the commands that build and check: fixed people, dates and configuration.
    static let environment = [
        "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
        "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": "1700000000 +0100",
        "GIT_COMMITTER_NAME": "Bob", "GIT_COMMITTER_EMAIL": "bob@example.org",
        "GIT_COMMITTER_DATE": "1700000000 +0100",
    ]

    init(bare: Bool = false, format: String = "sha1", at path: String? = nil) throws {
        self.path = path ?? Self.temporaryFolder()
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
        var arguments = ["init", "-q", "-b", "main", "--object-format=\(format)"]
        if bare { arguments.append("--bare") }
        try git(arguments)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func temporaryFolder() -> String {
        RepositoryLocation.realPath(NSTemporaryDirectory()).map { "\($0)/scm-test-\(UUID().uuidString)" }
            ?? "/tmp/scm-test-\(UUID().uuidString)"
    }

    /// Runs git in the repository and gives its standard output.
    @discardableResult
    func git(_ arguments: [String], input: String? = nil, date: Int? = nil) throws -> String {
        String(decoding: try gitBytes(arguments, input: input.map { Data($0.utf8) }, date: date), as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }

    @discardableResult
    func git(_ arguments: String..., date: Int? = nil) throws -> String { try git(arguments, date: date) }

    @discardableResult
    func gitBytes(_ arguments: [String], input: Data? = nil, date: Int? = nil) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.environment = Self.environment
        if let date {
            process.environment?["GIT_AUTHOR_DATE"] = "\(date) +0000"
            process.environment?["GIT_COMMITTER_DATE"] = "\(date) +0000"
        }
        let output = Pipe()
        let standardInput = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = standardInput
        try process.run()
        if let input { try standardInput.fileHandleForWriting.write(contentsOf: input) }
        try standardInput.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CommandFailed(arguments: arguments) }
        return data
    }

    struct CommandFailed: Error { var arguments: [String] }

    func write(_ name: String, _ text: String) throws {
        try write(name, Data(text.utf8))
    }

    func write(_ name: String, _ data: Data) throws {
        let url = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url)
    }

    /// Writes files, commits everything, and gives the commit's id.
    @discardableResult
    func commit(_ message: String, _ files: [String: String], date: Int? = nil) throws -> ObjectID {
        for (name, text) in files { try write(name, text) }
        try git("add", "-A")
        try git(["commit", "-q", "--allow-empty", "-m", message], date: date)
        return try head()
    }

    func head() throws -> ObjectID {
        try #require(ObjectID(try git("rev-parse", "HEAD")))
    }
}

/// A history with everything that makes blame interesting: a rename, a merge of two branches that edit the same
/// file, deleted lines, a file without a final newline, a path with spaces and quotes, and a binary file.
func makeStoriedRepository(format: String = "sha1") throws -> TestRepository {
    let repository = try TestRepository(format: format)
    let numbers = (1...40).map { "line \($0)\n" }.joined()
    try repository.commit("first", ["numbers.txt": numbers, "a \"b\".txt": "x\ny", "empty": ""], date: 1_700_000_000)
    try repository.write("image.bin", Data([0, 1, 2, 10, 3, 0, 10]))
    try repository.commit("second\n\nwith a body", [
        "numbers.txt": numbers.replacingOccurrences(of: "line 7\n", with: "seven\n"),
    ], date: 1_700_000_100)
    try repository.git("checkout", "-q", "-b", "side")
    try repository.commit("on the side", [
        "numbers.txt": numbers.replacingOccurrences(of: "line 7\n", with: "seven\n")
            .replacingOccurrences(of: "line 30\n", with: "thirty\n"),
    ], date: 1_700_000_200)
    try repository.git("checkout", "-q", "main")
    try repository.commit("on main", [
        "numbers.txt": numbers.replacingOccurrences(of: "line 7\n", with: "seven\n")
            .replacingOccurrences(of: "line 3\n", with: ""),
    ], date: 1_700_000_300)
    try repository.git(["merge", "-q", "--no-ff", "-m", "merge side", "side"], date: 1_700_000_400)
    try repository.git("mv", "numbers.txt", "renamed numbers.txt")
    try repository.commit("rename", [:], date: 1_700_000_500)
    let text = try repository.git("show", "HEAD:renamed numbers.txt") + "\nlast without newline"
    try repository.commit("append", ["renamed numbers.txt": text, "sub/é.txt": "ü\n"], date: 1_700_000_600)
    return repository
}

extension TestRepository {
    func open(_ engine: GitEngine) async throws -> GitRepository {
        try await engine.repository(gitFolder: try RepositoryLocation.find(path).gitFolder)
    }
}
