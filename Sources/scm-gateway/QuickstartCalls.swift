import Foundation

/// Calls to paste into another terminal.
enum QuickstartCalls {
    /// This program as the other terminal can call it.
    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    static func text(url: String, repositoryID: Int64, key: String) -> String {
        """

        Try it from another terminal:

          # list, with this program
          \(program) call ListRepositories --address \(url) --api-key \(key)

          # who wrote line 1 of a file, and when, however long ago (put in a file of your repository)
          \(program) call GetCommitContext \\
            '{"repositoryId": \(repositoryID), "filepath": "README.md", "lineNumber": 1, "maxAgeDays": -1}' \\
            --address \(url) --api-key \(key)

          # the same list with curl alone: gRPC-Web, one empty message in its 5-byte frame
          printf '\\0\\0\\0\\0\\0' | curl -s \(url)/sentry.integrations.scm.v1.ScmService/ListRepositories \\
            -H 'content-type: application/grpc-web+proto' -H 'x-api-key: \(key)' --data-binary @- | cat -v

        Stop with Ctrl-C.
        """
    }
}
