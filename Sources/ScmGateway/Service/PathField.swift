import RPC

extension RepositoryPath {
    /// The path of a request: its exact bytes when given, else its text.
    ///
    /// - Throws: ``GitError/invalidPath(_:)``.
    init(text: String, raw: [UInt8]) throws(GitError) {
        if raw.isEmpty { try self.init(text) } else { try self.init(raw: raw) }
    }
}
