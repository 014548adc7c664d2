import RPC
import ScmAPI

extension ScmGatewayService {
    public func resolveRevision(
        _ request: ResolveRevisionRequest, context: CallContext
    ) async throws -> ResolveRevisionResponse {
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID,
            fields: GitFields(revision: "revision")
        ) { _, repository in
            let revision = request.revision.isEmpty ? Revision.head : try Revision(request.revision)
            guard !revision.isHead else {
                let commit = try await repository.resolve(nil)
                let reference = try await repository.headReference()
                return ResolveRevisionResponse(objectID: commit.hex, type: .commit, fullRef: reference ?? "")
            }
            let fullName = try await Self.fullName(revision, repository)
            do {
                let commit = try await repository.resolve(revision)
                return ResolveRevisionResponse(objectID: commit.hex, type: .commit, fullRef: fullName)
            } catch GitError.revisionNotFound {
                // Perhaps a tree, a blob, or a tag of one.
                guard let object = try await repository.objects([revision.text]).first ?? nil,
                    !fullName.isEmpty || revision.text.utf8.count >= 7
                else { throw GitError.revisionNotFound(revision.text) }
                return ResolveRevisionResponse(
                    objectID: object.id.hex, type: ObjectType(object.kind), fullRef: fullName
                )
            }
        }
    }

    /// The reference that git takes a name for, by git's own order of places; empty for none.
    private static func fullName(
        _ revision: Revision, _ repository: any ReferenceProvider
    ) async throws -> String {
        guard revision.objectID == nil else { return "" }
        let name = revision.text
        let places = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"].map { $0 + name }
        let candidates = (name.hasPrefix("refs/") ? [name] : []) + places
        let objects = try await repository.objects(candidates)
        return zip(candidates, objects).first { $1 != nil }?.0 ?? ""
    }
}

extension ObjectType {
    init(_ kind: ObjectInfo.Kind) {
        switch kind {
        case .commit: self = .commit
        case .tree: self = .tree
        case .blob: self = .blob
        case .tag: self = .tag
        }
    }
}
