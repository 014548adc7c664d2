import Foundation

@testable import ScmGateway

/// The real git behind a script that notes each subcommand, and refuses one.
final class CountingGit: Sendable {
    private let folder = TestRepository.temporaryFolder()
    private var path: String { folder + "/git" }

    init(refusing subcommand: String = "none") throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let script = """
            #!/bin/sh
            echo "$1 $$" >> '\(folder)/log'
            [ "$1" = '\(subcommand)' ] && exit 7
            exec git "$@"

            """
        try script.write(toFile: folder + "/git", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/git")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Takes this git, and lets it write its notes: git itself may write no files, which ends the script when the limit
    /// comes before the note.
    func use(in configuration: inout GitConfiguration) {
        configuration.gitPath = path
        configuration.maximumWrittenFileByteCount = 1 << 20
    }

    /// How often a subcommand was run.
    func count(_ subcommand: String) -> Int {
        processes(subcommand).count
    }

    /// What ran a subcommand, in the order in which they were started.
    func processes(_ subcommand: String) -> [pid_t] {
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        return log.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            return words.count == 2 && words[0] == subcommand ? pid_t(words[1]) : nil
        }
    }
}
