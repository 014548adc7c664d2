import Foundation
import SwiftProtobuf

// SwiftProtobuf and Foundation's base64 as peers. Same protocol as FrameCodecPeer: names of cases on standard
// input, one round (nanoseconds, allocations, bytes) for each on standard output.

let folder = CommandLine.arguments[1]

func file(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder).appendingPathComponent(name)))
}

/// All operations on one message type.
func shape<Type: SwiftProtobuf.Message>(
    _ name: String, _: Type.Type, touch: @escaping (Type) -> Int
) throws -> [PeerCase] {
    let bytes = try file("\(name).bin")
    let json = try file("\(name).json")
    let jsonData = Data(json)
    let message = try Type(serializedBytes: bytes)
    return [
        PeerCase("\(name) encode", bytes.count) { count in
            for _ in 0..<count { blackHole(try? message.serializedBytes() as [UInt8]) }
        },
        PeerCase("\(name) decode", bytes.count) { count in
            for _ in 0..<count { blackHole(try? Type(serializedBytes: bytes)) }
        },
        PeerCase("\(name) touch", bytes.count) { count in
            for _ in 0..<count { blackHole((try? Type(serializedBytes: bytes)).map(touch)) }
        },
        PeerCase("\(name) JSON encode", json.count) { count in
            for _ in 0..<count { blackHole(try? message.jsonUTF8Bytes() as [UInt8]) }
        },
        PeerCase("\(name) JSON decode", json.count) { count in
            for _ in 0..<count { blackHole(try? Type(jsonUTF8Bytes: jsonData)) }
        },
    ]
}

func base64() -> [PeerCase] {
    let data = Data((0..<65536).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) })
    let text = data.base64EncodedData()
    return [
        PeerCase("text 64 KiB encode", data.count) { count in
            for _ in 0..<count { blackHole(data.base64EncodedData()) }
        },
        PeerCase("text 64 KiB decode", data.count) { count in
            for _ in 0..<count { blackHole(Data(base64Encoded: text)) }
        },
    ]
}

var all = base64()
all += try shape("mixed", Sentry_Integrations_Scm_V1_ListRepositoriesResponse.self) { Int($0.repositories[0].id) }
all += try shape("numbers", Benchmark_Shapes_Numbers.self) { Int($0.samples[0].count) }
all += try shape("strings", Benchmark_Shapes_Strings.self) { $0.people[0].name.utf8.count }
all += try shape("maps", Benchmark_Shapes_Maps.self) { $0.counts.count }
all += try shape("nesting", Benchmark_Shapes_Nesting.self) { Int($0.chains[0].value) }
all += try shape("blob", Benchmark_Shapes_Blob.self) { $0.name.utf8.count }
serve(all)
