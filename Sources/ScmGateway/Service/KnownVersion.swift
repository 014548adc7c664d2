import RPC

extension CallContext {
    /// For a caller that names the version it has in the metadata `if-none-match`: tells the answer's in the trailing
    /// metadata `etag`, and ends the call when they are the same. Versions are object ids, with or without quotes.
    ///
    /// - Throws: ABORTED (NOT_MODIFIED).
    func answering(version id: ObjectID) throws(RPCError) {
        guard let known = metadata["if-none-match"] else { return }
        addTrailingMetadata("etag", "\"\(id.hex)\"")
        let isKnown = known.split(separator: ",").contains { word in
            word.trimmingPrefix { $0 == " " }.trimmingPrefix("W/").filter { $0 != "\"" && $0 != " " } == id.hex
        }
        guard !isKnown else { throw RPCError(.aborted, .notModified, "the answer is what if-none-match names") }
    }
}
