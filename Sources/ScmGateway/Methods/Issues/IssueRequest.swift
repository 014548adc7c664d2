import RPC
import ScmAPI
import SiloRPC
import Storage

/// What a request may say of an issue. Every check throws INVALID_ARGUMENT that names the field.
enum IssueRules {
    static let maximumTitleCount = 255
    static let maximumTextCount = 65_536
    static let maximumLabelCount = 100
    static let maximumNameCount = 200
    static let extraFields: Set<String> = ["issue_type", "priority", "work_item_type"]

    static func checkTitle(_ title: String, _ field: String) throws(RPCError) {
        try checkLine(title, field, 1...maximumTitleCount)
    }

    /// Markdown: any text without a NUL.
    static func checkText(_ text: String, _ field: String, isRequired: Bool = false) throws(RPCError) {
        guard isRequired == false || !text.isEmpty else { throw RPCError.badField(field, "a text is required") }
        // The bytes bound what has to be looked at to count characters.
        guard text.utf8.count <= maximumTextCount * 4, text.unicodeScalars.count <= maximumTextCount else {
            throw RPCError.badField(field, "at most \(maximumTextCount) characters are allowed")
        }
        guard !text.utf8.contains(0) else { throw RPCError.badField(field, "no NUL is allowed") }
    }

    static func checkLine(_ text: String, _ field: String, _ range: ClosedRange<Int>) throws(RPCError) {
        guard text.utf8.count <= range.upperBound * 4, range.contains(text.unicodeScalars.count) else {
            throw RPCError.badField(field, "\(range.lowerBound) to \(range.upperBound) characters are allowed")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw RPCError.badField(field, "no control characters are allowed")
        }
    }

    static func checkLabels(_ labels: [String], _ field: String) throws(RPCError) {
        guard labels.count <= maximumLabelCount else {
            throw RPCError.badField(field, "at most \(maximumLabelCount) are allowed")
        }
        for label in labels { try checkLine(label, field, 1...maximumNameCount) }
        guard Set(labels).count == labels.count else { throw RPCError.badField(field, "each label once") }
    }

    static func checkAssignee(_ name: String, _ field: String) throws(RPCError) {
        try checkLine(name, field, 0...maximumNameCount)
    }

    static func checkProject(_ project: String, _ field: String) throws(RPCError) {
        try checkLine(project, field, 1...maximumNameCount)
        guard !project.utf8.contains(UInt8(ascii: "#")) else { throw RPCError.badField(field, "no \"#\" is allowed") }
    }

    static func checkExtra(_ extra: [String: String]) throws(RPCError) {
        for (key, value) in extra {
            guard extraFields.contains(key) else {
                throw RPCError.badField("extra", "only \(extraFields.sorted().joined(separator: ", ")) are known")
            }
            try checkLine(value, "extra", 0...maximumNameCount)
        }
    }

    static func checkID(_ id: Int64, _ field: String) throws(RPCError) {
        guard id > 0 else { throw RPCError.badField(field, "a positive id is required") }
    }

    /// nil for both states.
    static func isClosed(_ state: IssueState) throws(RPCError) -> Bool? {
        switch state {
        case .unspecified: nil
        case .open: false
        case .closed: true
        default: throw RPCError.badField("state", "an issue is open or closed")
        }
    }
}

extension ScmGatewayService {
    static var issueNotFound: RPCError {
        RPCError(.notFound, .issueNotFound, "there is no such issue in this organization")
    }

    /// The tracker of an integration; 0 is the built-in one.
    ///
    /// - Throws: NOT_FOUND for an integration that the organization does not have, else UNIMPLEMENTED.
    func issueTracker(_ integrationID: Int64, organizationID: Int64) async throws -> EmbeddedTracker {
        if integrationID != 0 { throw try await unservedIntegration(integrationID, organizationID: organizationID) }
        return EmbeddedTracker(service: self, organizationID: organizationID)
    }

    /// - Throws: NOT_FOUND, also for another organization's.
    func externalIssue(
        _ id: Int64, organizationID: Int64, field: String = "external_issue_id"
    ) async throws -> StoredExternalIssue {
        try IssueRules.checkID(id, field)
        let found = try await mappingStorageErrors {
            try await self.database.read { try ExternalIssueRows.find(id: id, organizationID: organizationID, $0) }
        }
        guard let found else { throw Self.issueNotFound }
        return found
    }

    /// Stores what the tracker says.
    func store(_ issue: TrackerIssue, integrationID: Int64, organizationID: Int64) async throws -> StoredExternalIssue {
        let stored = try await mappingStorageErrors {
            try await self.database.write {
                try ExternalIssueRows.store(
                    issue, integrationID: integrationID, organizationID: organizationID, $0
                )
            }
        }
        guard let stored else { throw Self.issueNotFound }
        return stored
    }

    /// Stores what the tracker says of an issue that is known. One that was unlinked meanwhile stays unknown.
    func refresh(_ known: StoredExternalIssue, _ issue: TrackerIssue) async throws -> StoredExternalIssue {
        let (id, organizationID) = (known.id, known.organizationID)
        let stored = try await mappingStorageErrors {
            try await self.database.write { transaction -> StoredExternalIssue? in
                guard let known = try ExternalIssueRows.find(
                    id: id, organizationID: organizationID, transaction.reading
                ) else { return nil }
                return try ExternalIssueRows.store(
                    issue, integrationID: known.integrationID, organizationID: organizationID, transaction
                )
            }
        }
        guard let stored else { throw Self.issueNotFound }
        return stored
    }

    /// Links a group to an issue inside a transaction.
    ///
    /// - Throws: ALREADY_EXISTS; RESOURCE_EXHAUSTED at a limit.
    static func link(
        groupID: Int64, issueID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws {
        let facts = ["externalIssueId": "\(issueID)"]
        switch try IssueLinkRows.add(
            groupID: groupID, issueID: issueID, organizationID: organizationID, transaction
        ) {
        case .added: return
        case .alreadyThere:
            throw RPCError(.alreadyExists, .alreadyLinked, "the group is linked to this issue", facts: facts)
        case .full(let what, let limit):
            throw RPCError(
                .resourceExhausted, .limitReached, "at most \(limit) \(what) can be linked",
                facts: facts.merging(["limit": "\(limit)"]) { first, _ in first }
            )
        }
    }

    /// What the audit log says of a change.
    func noteIssueChange(_ what: String, _ issueID: Int64, organizationID: Int64, _ context: CallContext) {
        logger.info("issue \(what)", metadata: [
            "organization": "\(organizationID)", "issue": "\(issueID)", "integration": "0",
            "key": "\(context.serviceContext[PrincipalKey.self]?.keyID ?? 0)",
        ])
    }
}
