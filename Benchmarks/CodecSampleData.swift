import FrameCodec
import ScmAPI

/// The same data in every run.
enum SampleData {
    /// Bytes of a fixed linear congruential generator.
    static func bytes(_ count: Int) -> [UInt8] {
        var state: UInt32 = 1
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }

    /// About 158 bytes each: numbers, strings of 15 to 50 bytes, a map, a repeated string and a nested
    /// message.
    static func repositories(_ count: Int) -> ListRepositoriesResponse {
        ListRepositoriesResponse(
            repositories: (0..<count).map(repository), nextPageToken: "page-2",
            totalSize: Int32(clamping: count))
    }

    private static func repository(_ index: Int) -> Repository {
        Repository(
            id: Int64(1_000_000 + index), organizationID: 42,
            name: "example-organization/repository-\(index)",
            url: "https://github.com/example-organization/repository-\(index)", provider: .github,
            externalID: "\(500_000 + index)", status: .active,
            dateAdded: Protobuf.Timestamp(seconds: Int64(1_700_000_000 + index), nanos: 0),
            config: index % 4 == 0 ? ["name": "repository-\(index)"] : [:], integrationID: Int64(index % 7),
            defaultBranch: "main", languages: ["swift", "python"]
        )
    }
}
