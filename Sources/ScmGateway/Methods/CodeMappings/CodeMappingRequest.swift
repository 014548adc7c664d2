import RPC
import ScmAPI
import SiloRPC
import Storage

/// What a request may say of a code mapping.
enum CodeMappingRules {
    static let maximumRootByteCount = 4096
    static let maximumBranchByteCount = 255

    /// - Throws: INVALID_ARGUMENT that names the field behind `prefix`.
    static func check(_ mapping: CodeMapping, prefix: String = "") throws(RPCError) {
        guard mapping.projectID > 0 else { throw RPCError.badField("\(prefix)project_id", "a positive id is required") }
        guard mapping.repositoryID > 0 else {
            throw RPCError.badField("\(prefix)repository_id", "a positive id is required")
        }
        try checkRoot(mapping.stackRoot, "\(prefix)stack_root")
        try checkRoot(mapping.sourceRoot, "\(prefix)source_root")
        try checkBranch(mapping.defaultBranch, "\(prefix)default_branch")
    }

    private static func checkRoot(_ root: String, _ field: String) throws(RPCError) {
        guard root.utf8.count <= maximumRootByteCount else {
            throw RPCError.badField(field, "at most \(maximumRootByteCount) bytes are allowed")
        }
        guard
            !root.unicodeScalars.contains(where: {
                $0.properties.isWhitespace || $0 == "\"" || $0 == "'" || $0.value < 0x20
            })
        else { throw RPCError.badField(field, "white space and quotes are not allowed") }
    }

    private static func checkBranch(_ branch: String, _ field: String) throws(RPCError) {
        let isWord = branch.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "_./-".unicodeScalars.contains(scalar)
        }
        guard branch.utf8.count <= maximumBranchByteCount, isWord, !branch.hasPrefix("/"), !branch.hasSuffix("/"),
            branch.isEmpty || (try? Revision(branch)) != nil
        else {
            throw RPCError.badField(
                field,
                "letters, digits, \"_\", \".\", \"/\" and \"-\", no \"/\" at either end, \(maximumBranchByteCount) "
                    + "bytes"
            )
        }
    }
}

extension ScmGatewayService {
    static var codeMappingNotFound: RPCError {
        RPCError(.notFound, .codeMappingNotFound, "there is no such code mapping in this organization")
    }

    static func codeMappingExists(_ mapping: StoredCodeMapping?) -> RPCError {
        RPCError(
            .alreadyExists, .codeMappingExists, "the project has a code mapping with this stack_root",
            facts: mapping.map { ["codeMappingId": "\($0.id)"] } ?? [:]
        )
    }

    /// The repository of a mapping that is made or changed, inside the transaction.
    static func checkRepository(_ id: Int64, organizationID: Int64, _ transaction: ReadTransaction) throws {
        guard let found = try RepositoryRows.find(id: id, organizationID: organizationID, transaction),
            found.status != .pendingDeletion
        else { throw repositoryNotFound }
    }

    /// - Throws: NOT_FOUND, also for another organization's.
    func codeMapping(_ id: Int64, organizationID: Int64, field: String = "code_mapping_id") async throws
        -> StoredCodeMapping
    {
        guard id > 0 else { throw RPCError.badField(field, "a positive id is required") }
        let found = try await mappingStorageErrors {
            try await self.database.read { try CodeMappingRows.find(id: id, organizationID: organizationID, $0) }
        }
        guard let found else { throw Self.codeMappingNotFound }
        return found
    }

    /// Most mappings of one project that are tried.
    static let maximumMappingsOfProject = 10_000

    /// The mappings of a project in the order in which they are tried.
    func codeMappings(ofProject id: Int64, organizationID: Int64) async throws -> [StoredCodeMapping] {
        guard id > 0 else { throw RPCError.badField("project_id", "a positive id is required") }
        return try await mappingStorageErrors {
            try await self.database.read {
                try CodeMappingRows.ofProject(
                    id, organizationID: organizationID, limit: Self.maximumMappingsOfProject, $0)
            }
        }
    }
}
