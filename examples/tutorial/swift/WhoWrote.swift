// Who wrote the lines in this stack trace? `who-wrote PROJECT < traceback.txt`, with the product ScmAPI.
//
// SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
import Foundation
import RPC
import ScmAPI

@main
enum WhoWrote {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        var metadata = Metadata()
        metadata.add("x-api-key", environment["SCM_GATEWAY_API_KEY"] ?? "")
        let address = environment["SCM_GATEWAY_ADDRESS"] ?? "http://127.0.0.1:8080"
        let channel = try RPCChannel(address, metadata: metadata)
        let scm = ScmServiceClient(channel: channel)
        let options = CallOptions(timeout: .seconds(30))

        var frames: [StackFrame] = []
        while let line = readLine() {
            guard let match = line.firstMatch(of: /File "(.+)", line (\d+)/), let number = Int32(match.2) else {
                continue
            }
            frames.append(StackFrame(filename: String(match.1), absPath: String(match.1), lineno: number))
        }
        var resolve = ResolveSourcePathRequest()
        resolve.projectID = CommandLine.arguments.dropFirst().first.flatMap { Int64($0) } ?? 0
        resolve.platform = "python"
        resolve.frames = frames
        let resolved = try await scm.resolveSourcePath(resolve, options: options).frames

        let found = resolved.filter { !$0.path.isEmpty }
        var batch = BatchGetCommitContextRequest()
        batch.maxAgeDays = -1
        batch.lines = found.map { place in
            BlameLine(path: place.path, line: frames[Int(place.frameIndex)].lineno, repositoryID: place.repositoryID)
        }
        let blame = try await scm.batchGetCommitContext(batch, options: options)
        await channel.close()

        var position: Int32 = 0
        for (frame, place) in zip(frames, resolved) {
            let result = place.path.isEmpty ? nil : blame.results[Int(position)]
            if let context = result?.context, result?.status?.code ?? 0 == 0 {
                print(line(place, frame, context) + (position == blame.newestIndex ? "  <- newest" : ""))
            } else {
                print("\(frame.filename):\(frame.lineno)  \((result?.status ?? place.status)?.message ?? "")")
            }
            if result != nil { position += 1 }
        }
    }

    private static func line(_ place: ResolvedFrame, _ frame: StackFrame, _ context: CommitContext) -> String {
        let date = Date(timeIntervalSince1970: Double(context.committedAt?.seconds ?? 0))
        let day = date.formatted(.iso8601.year().month().day())
        let summary = context.commit?.message.split(separator: "\n", maxSplits: 1).first ?? ""
        let author = context.blameAuthor?.name ?? ""
        return "\(place.path):\(frame.lineno)  \(context.blameCommitID.prefix(10))  \(day)  \(author)  \(summary)"
    }
}
