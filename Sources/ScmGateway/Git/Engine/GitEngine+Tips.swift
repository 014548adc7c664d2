import FrameCodec
import SiloRPC

/// Where a list of commits begins.
struct HistoryStart: Equatable, Sendable {
    /// None twice, in the order of ids.
    var tips: [ObjectID]
    /// Names them in a page token.
    var anchor: String

    init(_ tip: ObjectID) {
        tips = [tip]
        anchor = tip.hex
    }

    /// Of many: their digest.
    init(_ tips: [ObjectID]) {
        self.tips = tips
        let digest = SHA256.digest(tips.flatMap { Array($0.hex.utf8) })
        anchor = String(decoding: Base64.encode(Array(digest.prefix(18)), padded: false), as: UTF8.self)
    }
}

extension GitEngine {
    /// What all branches and tags name: now, or at the time that `anchor` is from.
    ///
    /// - Parameter anchor: of an earlier start; nil for now.
    /// - Returns: nil when they have moved since then, and what they named is not in the cache any more.
    /// - Throws: ``GitError``; ``GitError/emptyRepository`` where there is neither branch nor tag.
    func allTips(_ anchor: String?, in repository: GitRepository) async throws -> HistoryStart? {
        if let anchor, case .history(let tips)? = cache[.tips(repository.id, anchor: anchor)] {
            return HistoryStart(tips)
        }
        var references: [GitReference] = []
        for folder in [ReferenceFolder.branches, .tags] {
            references += try await self.references(below: folder, withTimes: false, in: repository)
        }
        guard !references.isEmpty else { throw GitError.emptyRepository }
        let start = try await offLoop { [references] in
            HistoryStart(Set(references.map(\.id)).sorted { $0.hex < $1.hex })
        }
        guard anchor == nil || anchor == start.anchor else { return nil }
        let key = CacheKey.tips(repository.id, anchor: start.anchor)
        cache.insert(.history(start.tips), for: key, byteCount: 200 + start.tips.count * 96)
        return start
    }
}
