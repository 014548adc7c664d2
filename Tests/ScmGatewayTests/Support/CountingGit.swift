import Foundation

@testable import ScmGateway

/// The real git behind a script that notes each subcommand, and refuses one.
final class CountingGit: Sendable {
    private let folder = TestRepository.temporaryFolder()
    var path: String { folder + "/git" }

    init(refusing subcommand: String = "none") throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let script = """
            #!/bin/sh
            echo "$1" >> '\(folder)/log'
            [ "$1" = '\(subcommand)' ] && exit 7
            exec git "$@"

            """
        try script.write(toFile: folder + "/git", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/git")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// How often a subcommand was run.
    func count(_ subcommand: String) -> Int {
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        return log.split(separator: "\n").count { $0 == subcommand }
    }
}
