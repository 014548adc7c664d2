import Foundation
import HTTPTransport
import NIOCore
import RPC
import ScmGateway

/// What a measured server says about its memory, in bytes.
struct MemoryReport: Codable, Sendable {
    /// Results kept in memory, by the server's own estimate, and how many they may be.
    var cache = 0
    var cacheLimit = 0
    /// Given out by malloc and not yet freed, mapped blocks included. 0 where the C library is not glibc.
    var used = 0
    /// Free inside of malloc's arenas.
    var free = 0
    /// As the kernel counts it; from outside.
    var resident = 0

    /// `GET /memory`.
    static func route(_ service: ScmGatewayService) -> HTTPRoute {
        HTTPRoute(.get, "/memory") { exchange in
            var report = MemoryReport()
            (report.cache, report.cacheLimit) = (service.resultCacheByteCount, service.resultCacheByteLimit)
            if let malloc = MallocStatistics.now {
                (report.used, report.free) = (malloc.usedByteCount, malloc.freeByteCount)
            }
            let body = (try? JSONEncoder().encode(report)) ?? Data()
            exchange.sendHead(HTTPResponseHead(status: 200, fields: HTTPFields()))
            exchange.sendLast(ByteBuffer(bytes: body))
        }
    }

    static func of(_ server: MeasuredServer) throws -> MemoryReport {
        let text = try ChildProcess.output("curl", ["-s", "http://127.0.0.1:\(server.port)/memory"])
        var report = try JSONDecoder().decode(MemoryReport.self, from: Data(text.utf8))
        report.resident = server.residentBytes
        return report
    }

    var isFull: Bool { cache >= cacheLimit * 19 / 20 }

    var text: String {
        "resident \(resident >> 20) MiB, malloc in use \(used >> 20), free \(free >> 20), "
            + "result cache \(cache >> 20) of \(cacheLimit >> 20)"
    }
}

/// What glibc's `malloc_info` says at its end, of all arenas together.
private struct MallocStatistics {
    let usedByteCount: Int
    let freeByteCount: Int

    /// nil where the C library has no such function.
    static var now: MallocStatistics? {
        typealias Function = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
        // malloc.h is not part of Swift's Glibc module.
        guard let symbol = dlsym(nil, "malloc_info") else { return nil }
        let mallocInfo = unsafeBitCast(symbol, to: Function.self)
        var text: UnsafeMutablePointer<CChar>?
        var length = 0
        guard let file = open_memstream(&text, &length) else { return nil }
        let result = mallocInfo(0, file)
        fclose(file)
        defer { free(text) }
        guard result == 0, let text else { return nil }
        return MallocStatistics(String(cString: text))
    }

    private init?(_ xml: String) {
        // The last of each stands for all arenas: <total type="rest" count="9" size="1234"/>
        func size(_ element: String) -> Int? {
            guard let start = xml.range(of: element, options: .backwards) else { return nil }
            let rest = xml[start.upperBound...].prefix { $0 != ">" }
            guard let value = rest.range(of: "size=\"") else { return nil }
            return Int(rest[value.upperBound...].prefix { $0 != "\"" })
        }
        guard let fast = size("<total type=\"fast\""), let rest = size("<total type=\"rest\""),
            let mapped = size("<total type=\"mmap\""), let system = size("<system type=\"current\"")
        else { return nil }
        freeByteCount = fast + rest
        usedByteCount = system - fast - rest + mapped
    }
}
