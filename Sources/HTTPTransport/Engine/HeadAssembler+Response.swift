extension HeadAssembler {
    mutating func addStatus(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard name.elementsAre(":status"), isFirst(.status), let status = ResponseRules.status(value) else {
            return false
        }
        self.status = status
        _ = store(.status, ":status", value)
        return true
    }

    /// The head goes on differently from the last response's. Whose memory is not used again: callers on other threads
    /// have it, too.
    mutating func leaveResponse() {
        heads.leave()
        guard let last = lastResponse.take() else { return }
        // `:status` is the first field of every response.
        if !heads.pieces.isEmpty, isFirst(.status) { status = last.status }
        adopt(last.fields.storage, upTo: heads.pieces.last, count: heads.pieces.count)
    }

    /// The response, an interim one too (1xx), or nil when it breaks ``ResponseRules``.
    mutating func takeResponse() -> HTTPResponseHead? {
        if heads.isFollowed {
            if heads.isWhole {
                contentLength = lastContentLength
                return lastResponse
            }
            leaveResponse()
        }
        let storage = takeStorage()
        let head = HTTPResponseHead(status: status, fields: HTTPFields(storage: storage))
        guard !isBroken, status != 0, FieldRules.isFreeOfConnectionFields(storage), readLength(head.fields),
            ResponseRules.maySay(length: contentLength, status: status)
        else { return nil }
        if status >= 200, heads.keep(storage) {
            lastResponse = head
            lastContentLength = contentLength
        }
        return head
    }
}
