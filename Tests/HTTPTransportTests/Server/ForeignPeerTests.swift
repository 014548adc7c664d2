import Foundation
import HTTPTransport
import NIOCore
import Testing

/// Programs that others wrote. Skipped where they are not installed.
@Suite(.timeLimit(.minutes(5))) struct ForeignPeerTests {
    static func path(_ name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/", "/usr/sbin/"].map { $0 + name }.first(
            where: FileManager.default.isExecutableFile)
    }

    /// Runs a program, for a minute at most; standard output as text.
    static func run(_ program: String, _ arguments: [String]) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let process = Process()
                let output = Pipe()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
                process.arguments = ["--kill-after=5", "60", program] + arguments
                process.standardInput = FileHandle.nullDevice
                process.standardOutput = output
                process.standardError = FileHandle.nullDevice
                do {
                    try process.run()
                    let data = output.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(returning: String(decoding: data, as: UTF8.self))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    @Test(
        .enabled(if: path("curl") != nil), arguments: ["--http1.1", "--http1.0", "--http2-prior-knowledge"])
    func `curl`(version: String) async throws {
        let curl = try #require(Self.path("curl"))
        try await withServer(handler: echo) { server in
            let url = "http://127.0.0.1:\(server.port)/path?query=1"
            let body = String(repeating: "0123456789", count: 20_000)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(
                "curl-\(UUID().uuidString)")
            try body.write(to: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: file) }
            // curl 7.88 sends no second upload on a reused HTTP/2 connection, to any server.
            let urls = version == "--http2-prior-knowledge" ? [url] : [url, url]
            let answer = try await Self.run(curl, ["-s", version, "--data-binary", "@\(file.path)"] + urls)
            #expect(answer == String(repeating: body, count: urls.count))
            #expect(
                try await Self.run(curl, ["-s", version, "-o", "/dev/null", "-w", "%{http_code}", url])
                    == "200")
            let head = try await Self.run(curl, ["-s", version, "-I", url])
            #expect(head.contains("200"))
        }
    }

    @Test(.enabled(if: path("nghttp") != nil))
    func `nghttp with trailers and several streams`() async throws {
        let nghttp = try #require(Self.path("nghttp"))
        try await withServer(handler: echo) { server in
            let url = "http://127.0.0.1:\(server.port)/trailers"
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(
                "nghttp-\(UUID().uuidString)")
            try "hello".write(to: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: file) }
            let answer = try await Self.run(nghttp, ["-n", "-v", "-d", file.path, "-m", "5", url])
            #expect(answer.components(separatedBy: "grpc-status: 0").count == 6)
            #expect(!answer.contains("RST_STREAM"))
        }
    }

    @Test(.enabled(if: path("h2load") != nil))
    func `h2load with 5,000 requests on 10 connections`() async throws {
        let h2load = try #require(Self.path("h2load"))
        try await withServer(handler: echo) { server in
            let url = "http://127.0.0.1:\(server.port)/"
            for version in ["--npn-list=h2c", "--h1"] {
                let answer = try await Self.run(
                    h2load, ["-n", "5000", "-c", "10", "-m", version == "--h1" ? "1" : "20", version, url])
                #expect(answer.contains("5000 succeeded, 0 failed, 0 errored"), "\(version)")
            }
        }
    }
}
