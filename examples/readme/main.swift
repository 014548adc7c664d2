import Foundation
import RPC
import ScmAPI

let environment = ProcessInfo.processInfo.environment
var metadata = Metadata()
metadata.add("x-api-key", environment["SCM_GATEWAY_API_KEY"] ?? "")
let channel = try RPCChannel(environment["SCM_GATEWAY_ADDRESS"] ?? "http://127.0.0.1:8080", metadata: metadata)
let scm = ScmServiceClient(channel: channel)

var request = BlameFileRequest()
request.repositoryID = 1
request.path = "README.md"
for try await hunk in try await scm.blameFile(request) {
    print(hunk.firstLine, hunk.lineCount, hunk.commitSHA.prefix(10), hunk.summary)
}
await channel.close()
