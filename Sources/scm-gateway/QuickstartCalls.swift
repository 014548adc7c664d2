import Foundation

/// Calls to paste into another terminal.
enum QuickstartCalls {
    /// This program as the other terminal can call it.
    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    /// - Parameter url: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`.
    static func text(url: String, repositoryID: Int64, key: String) -> String {
        let isSecure = url.hasPrefix("https:")
        let address = "--address \(url)" + (isSecure ? " --ca-certificate ca.pem" : "")
        return """

            Try it from another terminal\(isSecure ? " (ca.pem: the authority of your certificate)" : ""):

              # list, with this program
              \(program) call ListRepositories \(address) --api-key \(key)

              # who wrote line 1 of a file, and when, however long ago (put in a file of your repository)
              \(program) call GetCommitContext \\
                '{"repositoryId": \(repositoryID), "filepath": "README.md", "lineNumber": 1, "maxAgeDays": -1}' \\
                \(address) --api-key \(key)

              # the same list with curl alone
              curl -d '{}' -H 'content-type: application/json' -H 'x-api-key: \(key)' \\
                \(curlTarget(url))/sentry.integrations.scm.v1.ScmService/ListRepositories

            Stop with Ctrl-C.
            """
    }

    /// What curl needs besides the path: options, and the URL's beginning.
    private static func curlTarget(_ url: String) -> String {
        if url.hasPrefix("https:") { return "--cacert ca.pem \(url)" }
        guard url.hasPrefix("unix:") else { return url }
        return "--unix-socket \(url.dropFirst("unix:".count)) http://localhost"
    }
}
