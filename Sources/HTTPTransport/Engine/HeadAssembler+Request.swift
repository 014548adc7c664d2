extension HeadAssembler {
    /// The pseudo fields of a request.
    struct RequestParts {
        var method: HTTPMethod?
        var scheme: URIScheme?
        var path: StoredRange?
        var authority: StoredRange?
    }

    mutating func addRequestPseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        if name.elementsAre(":path") {
            guard isFirst(.path) else { return false }
            request.path = store(.path, ":path", value)
        } else if name.elementsAre(":method") {
            guard isFirst(.method) else { return false }
            request.method = HTTPMethod(bytes: value)
            _ = store(.method, ":method", value)
        } else if name.elementsAre(":scheme") {
            guard isFirst(.scheme) else { return false }
            request.scheme = URIScheme(bytes: value)
            _ = store(.scheme, ":scheme", value)
        } else if name.elementsAre(":authority") {
            guard isFirst(.authority), RequestRules.isAuthority(value) else { return false }
            request.authority = store(.authority, ":authority", value)
        } else {
            return false
        }
        return true
    }

    /// The head goes on differently from the last request's.
    mutating func leaveRequest() {
        heads.leave()
        guard var last = lastRequest.take() else { return }
        for index in heads.pieces.indices {
            let piece = heads.pieces[index]
            // Pseudo fields come first.
            guard piece.kind != .field else { break }
            _ = isFirst(piece.kind)
            switch piece.kind {
            case .method: request.method = last.method
            case .scheme: request.scheme = last.target.scheme
            case .path: request.path = piece.range
            case .authority: request.authority = piece.range
            case .field, .status: break
            }
        }
        adopt(last.fields.storage, upTo: heads.pieces.last, count: heads.pieces.count)
        if let storage = last.takeStorage() { reuse(storage) }
    }

    /// The request, or nil when it breaks ``RequestRules`` or rule M1 or M9: the path must start with `/` (`*` only for
    /// OPTIONS), the scheme must be the transport's, and `host` must say what `:authority` says.
    mutating func takeRequest(_ schemes: SchemeRule) -> HTTPRequestHead? {
        if heads.isFollowed {
            if heads.isWhole { return repeatedRequest() }
            leaveRequest()
        }
        guard let head = buildRequest(schemes), readLength(head.fields) else { return nil }
        if heads.keep(head.fields.storage) {
            lastRequest = head
            lastContentLength = contentLength
        }
        return head
    }

    private mutating func repeatedRequest() -> HTTPRequestHead? {
        contentLength = lastContentLength
        if let storage = lastRequest?.fields.storage, !storage.isRepeated { storage.isRepeated = true }
        return lastRequest
    }

    private mutating func buildRequest(_ schemes: SchemeRule) -> HTTPRequestHead? {
        let storage = takeStorage()
        guard !isBroken, let method = request.method, method != .connect, let path = request.path,
            let scheme = request.scheme, schemes.accepts(scheme),
            RequestRules.isPath(storage.bytes(offset: path.offset, count: path.count), method),
            FieldRules.isFreeOfConnectionFields(storage), storage.allValues(of: .host, RequestRules.isAuthority)
        else { return nil }
        let fields = HTTPFields(storage: storage)
        var authority = request.authority
        let hosts = fields.count(of: .host)
        if hosts > 0 {
            guard hosts == 1, let host = Self.range(of: .host, in: storage) else { return nil }
            if let authority {
                let left = storage.bytes(offset: authority.offset, count: authority.count)
                guard left.elementsAre(storage.bytes(offset: host.offset, count: host.count)) else {
                    return nil
                }
            } else {
                authority = host
            }
        }
        guard authority != nil else { return nil }
        let target = RequestTarget(storage: storage, scheme: scheme, path: path, authority: authority)
        return HTTPRequestHead(method: method, target: target, fields: fields)
    }
}
