/// Calls to paste into another terminal.
enum QuickstartCalls {
    static func text(url: String, repositoryID: Int64, key: String) -> String {
        """

        Try it from another terminal:

          # list, with this program
          scm-gateway call ListRepositories --address \(url) --api-key \(key)

          # who wrote line 1 of README.md, and when
          scm-gateway call GetCommitContext '{"repositoryId": \(repositoryID), "filepath": "README.md", "lineNumber": 1}' \\
            --address \(url) --api-key \(key)

          # the same list with curl alone: gRPC-Web, one empty message in its 5-byte frame
          printf '\\0\\0\\0\\0\\0' | curl -s \(url)/sentry.integrations.scm.v1.ScmService/ListRepositories \\
            -H 'content-type: application/grpc-web+proto' -H 'x-api-key: \(key)' --data-binary @- | cat -v

        Stop with Ctrl-C.
        """
    }
}
