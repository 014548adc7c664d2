import FrameCodec

/// The same data in every run.
enum SampleData {
    /// Numbers of a fixed linear congruential generator.
    struct Generator {
        private var state: UInt32 = 1

        mutating func next() -> UInt32 {
            state = state &* 1_664_525 &+ 1_013_904_223
            return state >> 8
        }
    }

    static func bytes(_ count: Int) -> [UInt8] {
        var generator = Generator()
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 16) }
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

    /// Numbers of all magnitudes.
    static func numbers(_ count: Int) -> Shapes.Numbers {
        var generator = Generator()
        let samples = (0..<count).map { index in
            var sample = Shapes.Numbers.Sample()
            sample.count = Int32(truncatingIfNeeded: generator.next() >> UInt32(index % 24))
            sample.change = Int64(index) - 500
            sample.hash = generator.next()
            sample.value = Double(generator.next()) / 1000
            sample.id = UInt64(generator.next()) << UInt64(index % 32)
            sample.valid = index % 3 == 0
            sample.weight = Float(index) / 8
            sample.time = Int64(1_700_000_000 + index)
            return sample
        }
        let changes = (0..<count * 2).map { index in Int64(generator.next() >> UInt32(index % 20)) - 1000 }
        let values = (0..<count).map { _ in Double(generator.next()) }
        return Shapes.Numbers(samples: samples, changes: changes, values: values)
    }

    /// Four strings each, one of them not ASCII.
    static func strings(_ count: Int) -> Shapes.Strings {
        Shapes.Strings(
            people: (0..<count).map { index in
                Shapes.Strings.Person(
                    name: "Person \(index)", email: "person.number.\(index)@mail.example.org",
                    address: "\(index) Hauptstraße, 10115 Berlin, Straße der Grüße \(index % 97)",
                    note: String(repeating: "note ", count: index % 20))
            })
    }

    static func maps(_ count: Int) -> Shapes.Maps {
        let range = 0..<count
        return Shapes.Maps(
            counts: Dictionary(uniqueKeysWithValues: range.map { ("counter-\($0)", Int64($0) * 977) }),
            names: Dictionary(uniqueKeysWithValues: range.map { (Int32($0), "a name of number \($0)") }),
            labels: Dictionary(uniqueKeysWithValues: range.map { ("label-\($0)", "value \($0)") }))
    }

    static func nesting(chains: Int, depth: Int) -> Shapes.Nesting {
        Shapes.Nesting(
            chains: (0..<chains).map { chain in
                (1..<depth).reduce(Shapes.Nesting.Node(name: "leaf", value: 1)) { child, level in
                    Shapes.Nesting.Node(child: child, name: "node-\(chain)-\(level)", value: Int32(level))
                }
            })
    }

    static func blob(_ byteCount: Int) -> Shapes.Blob {
        Shapes.Blob(name: "blob.bin", data: bytes(byteCount))
    }
}
