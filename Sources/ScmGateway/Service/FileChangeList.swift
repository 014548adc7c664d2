import ScmAPI

/// What a request wants to know about changed files.
struct FileChangeOptions: Sendable {
    /// Longest patch in bytes unless a request says otherwise.
    static let standardPatchByteCount = 65_536
    /// Bytes of patches in one answer: further ones wait for the next page, or are left out.
    static let maximumPatchesByteCount = 2 * 1024 * 1024
    static let standardContextLineCount = 3

    var withStatistics = false
    /// nil: no patches.
    var patchByteCount: Int?
    var contextLineCount = standardContextLineCount
}

extension CommitProvider {
    /// Part of the changed files, with what was asked for.
    ///
    /// - Parameter all: what ``changes(_:)`` gave.
    /// - Returns: the part's files, as many as fit into an answer, the first in any case.
    func files(
        _ query: ChangeQuery, _ all: [GitFileChange], _ range: Range<Int>, _ options: FileChangeOptions
    ) async throws -> [FileChange] {
        let range = range.clamped(to: 0..<all.count)
        // Thousands of paths are more than an event loop may be held up for.
        var files = try await offLoop { all[range].map { FileChange($0, withStatistics: options.withStatistics) } }
        guard let limit = options.patchByteCount else { return files }
        let patches = try await patches(
            query, of: all, range, contextLineCount: options.contextLineCount, maximumByteCount: limit
        )
        var byteCount = 0
        for index in files.indices where index < patches.count {
            byteCount += patches[index].bytes.count
            if index > 0, byteCount > FileChangeOptions.maximumPatchesByteCount { return Array(files[..<index]) }
            files[index].patch = String(decoding: patches[index].bytes, as: UTF8.self)
            files[index].patchTruncated = patches[index].isTruncated
        }
        return files
    }

    /// As ``files(_:_:_:_:)``; behind the point where no more patches fit, files come without them.
    func allFiles(
        _ query: ChangeQuery, _ all: [GitFileChange], limit: Int, _ options: FileChangeOptions
    ) async throws -> [FileChange] {
        let end = min(limit, all.count)
        var files = try await files(query, all, 0..<end, options)
        let count = files.count
        files += try await offLoop {
            all[count..<end].map { change in
                var file = FileChange(change, withStatistics: options.withStatistics)
                file.patchTruncated = true
                return file
            }
        }
        return files
    }
}
