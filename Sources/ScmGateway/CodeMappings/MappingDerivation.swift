/// Finds out, from the frames of stack traces and the files of repositories, which stack paths are which files.
///
/// Frames are put into buckets by the folder that they begin with; a bucket gets at most one mapping. Every pass looks
/// at all buckets without one, and what a pass has found narrows the next: files below a source root that is taken are
/// out of the question for other buckets. A pass does not see what it finds itself, so the frames' order does not
/// matter.
struct MappingDerivation: Sendable {
    struct Mapping: Sendable, Hashable {
        /// Index in `trees`.
        let tree: Int
        let roots: MappingRoots
        /// The file that the frame was found to be.
        let file: String
        /// The first frame that gave it.
        let frame: Int
    }

    /// In frame order.
    private(set) var mappings: [Mapping] = []
    /// In frame order.
    private(set) var skipped: [(frame: Int, reason: FrameSkip)] = []

    private let trees: [SourceTree]
    private var sourceRoots: [[String]]

    init(frames: [SourceFrame], platform: StackPlatform, trees: [SourceTree]) {
        self.trees = trees
        sourceRoots = Array(repeating: [], count: trees.count)
        var reasons: [Int: FrameSkip] = [:]
        var buckets: [String: [(frame: Int, path: FramePath)]] = [:]
        for (index, frame) in frames.enumerated() {
            do {
                let path = try Self.path(frame, platform)
                buckets[path.bucket, default: []].append((index, path))
            } catch {
                reasons[index] = error
            }
        }
        while true {
            let found = pass(&buckets, &reasons)
            if found.isEmpty { break }
            mappings += found
            for mapping in found { sourceRoots[mapping.tree].append(mapping.roots.source) }
        }
        mappings.sort { ($0.frame, $0.tree) < ($1.frame, $1.tree) }
        skipped = reasons.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func path(_ frame: SourceFrame, _ platform: StackPlatform) throws(FrameSkip) -> FramePath {
        if platform.usesModules {
            guard frame.category.isEmpty else { throw .categorized }
        } else if frame.isInApp == false {
            throw .notInApp
        }
        return try FramePath(frame, platform: platform)
    }

    /// Removes the buckets that it finds a mapping for.
    private func pass(
        _ buckets: inout [String: [(frame: Int, path: FramePath)]], _ reasons: inout [Int: FrameSkip]
    ) -> [Mapping] {
        var found: [Mapping] = []
        for (bucket, frames) in buckets {
            var votes: [MappingVote: [Mapping]] = [:]
            for (frame, path) in frames {
                do {
                    let mapping = try map(path, frame: frame)
                    reasons[frame] = nil
                    votes[MappingVote(tree: mapping.tree, roots: mapping.roots), default: []].append(mapping)
                } catch {
                    reasons[frame] = error
                }
            }
            // Of several, the one that most frames speak for; then one that does not depend on their order.
            guard let best = votes.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) }) else { continue }
            found += best.value.prefix(1)
            buckets[bucket] = nil
        }
        return found
    }

    private func map(_ path: FramePath, frame: Int) throws(FrameSkip) -> Mapping {
        var matches: [(tree: Int, file: String)] = []
        var hasSeveralFiles = false
        for (index, tree) in trees.enumerated() {
            let files = tree.candidates(path.normalized, notBelow: sourceRoots[index])
            if files.count == 1 { matches += files.map { (index, $0) } }
            if files.count > 1 { hasSeveralFiles = true }
        }
        guard let match = matches.first else { throw hasSeveralFiles ? .multipleFiles : .noMatch }
        guard matches.count == 1 else { throw .multipleRepositories }
        let roots = try roots(path, match.file, trees[match.tree])
        return Mapping(tree: match.tree, roots: roots, file: match.file, frame: frame)
    }

    private func roots(_ path: FramePath, _ file: String, _ tree: SourceTree) throws(FrameSkip) -> MappingRoots {
        guard path.isModule else { return try MappingRoots(raw: path.raw, file: file) }
        let plain = try MappingRoots(raw: path.raw, file: file, package: String(path.bucket.dropLast()))
        return Self.sourceSetRoots(plain, file, tree) ?? plain
    }

    /// Below `src/main/java/` the folders of a whole source set are one mapping, unless it would be for a deeper
    /// package.
    private static func sourceSetRoots(_ plain: MappingRoots, _ file: String, _ tree: SourceTree) -> MappingRoots? {
        for marker in ["src/main/java/", "src/main/kotlin/"] {
            guard let range = file.ranges(of: marker).first(where: { range in
                range.lowerBound == file.startIndex || file[..<range.lowerBound].hasSuffix("/")
            }) else { continue }
            let sourceSet = String(file[..<range.upperBound])
            let chain = tree.singleFolderChain(below: sourceSet)
            guard plain.stack.hasPrefix(chain) else { return nil }
            return MappingRoots(stack: chain, source: sourceSet + chain)
        }
        return nil
    }

    /// Every file that a frame may be, with its roots, in the order of the trees: for people to choose from.
    static func candidates(_ frame: SourceFrame, platform: StackPlatform, trees: [SourceTree]) -> [Mapping] {
        guard let path = try? FramePath(frame, platform: platform) else { return [] }
        return trees.enumerated().flatMap { index, tree in
            tree.candidates(path.normalized, notBelow: []).compactMap { file in
                let package = path.isModule ? String(path.bucket.dropLast()) : nil
                guard let roots = try? MappingRoots(raw: path.raw, file: file, package: package) else { return nil }
                return Mapping(tree: index, roots: roots, file: file, frame: 0)
            }
        }
    }
}

private struct MappingVote: Hashable, Comparable {
    let tree: Int
    let roots: MappingRoots

    static func < (left: Self, right: Self) -> Bool {
        (left.tree, left.roots.stack, left.roots.source) < (right.tree, right.roots.stack, right.roots.source)
    }
}

/// Rules that mark frames as the application's own, from the packages that mappings were found for.
enum InAppRules {
    /// `com/example/foo/` -> `stack.module:com.example.** +app`; sorted, without repeats; none for an empty root.
    static func rules(stackRoots: [String]) -> [String] {
        let packages = stackRoots.compactMap { root -> String? in
            let parts = root.split(separator: "/")
            guard !parts.isEmpty else { return nil }
            return (parts.count >= 3 ? parts.dropLast() : parts[...]).joined(separator: ".")
        }
        return Set(packages).sorted().map { "stack.module:\($0).** +app" }
    }
}
