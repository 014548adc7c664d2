import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func getIssueSettings(
        _ request: GetIssueSettingsRequest, context: CallContext
    ) async throws -> IssueSettings {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        _ = try await issueTracker(request.integrationID, organizationID: organizationID)
        let integrationID = request.integrationID
        return try await mappingStorageErrors {
            try await self.database.read {
                try IssueSettingsRows.message(integrationID: integrationID, organizationID: organizationID, $0)
            }
        }
    }

    public func updateIssueSettings(
        _ request: UpdateIssueSettingsRequest, context: CallContext
    ) async throws -> IssueSettings {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let new = request.issueSettings ?? IssueSettings()
        let integrationID = new.integrationID
        let tracker = try await issueTracker(integrationID, organizationID: organizationID)
        let paths = request.updateMask?.paths ?? []
        guard !paths.isEmpty else { throw RPCError.badField("update_mask", "name the fields to change") }
        let answer = try await mappingStorageErrors {
            try await self.database.write { transaction in
                var settings = try IssueSettingsRows.find(
                    integrationID: integrationID, organizationID: organizationID, transaction.reading
                )
                for path in paths { try settings.change(path, to: new, states: tracker.states) }
                settings.updatedAt = EpochTime.now
                try IssueSettingsRows.store(
                    settings, integrationID: integrationID, organizationID: organizationID, transaction
                )
                return try IssueSettingsRows.message(
                    integrationID: integrationID, organizationID: organizationID, transaction.reading
                )
            }
        }
        logger.info("issue settings changed", metadata: [
            "organization": "\(organizationID)", "integration": "\(integrationID)",
            "key": "\(context.serviceContext[PrincipalKey.self]?.keyID ?? 0)",
        ])
        return answer
    }

    func issueSettings(_ integrationID: Int64, organizationID: Int64) async throws -> IssueSyncSettings {
        try await mappingStorageErrors {
            try await self.database.read {
                try IssueSettingsRows.find(integrationID: integrationID, organizationID: organizationID, $0)
            }
        }
    }
}

extension IssueSyncSettings {
    /// - Parameters:
    ///   - path: of the update mask.
    ///   - states: the tracker's; nil when it does not say.
    /// - Throws: INVALID_ARGUMENT for a field that cannot change, or cannot have its value.
    fileprivate mutating func change(_ path: String, to new: IssueSettings, states: Set<String>?) throws(RPCError) {
        switch path {
        case "sync_status_forward": carriesStatusOut = new.syncStatusForward
        case "sync_status_reverse": carriesStatusIn = new.syncStatusReverse
        case "sync_forward_assignment": carriesAssigneeOut = new.syncForwardAssignment
        case "sync_reverse_assignment": carriesAssigneeIn = new.syncReverseAssignment
        case "sync_comments": carriesComments = new.syncComments
        case "resolution_strategy":
            strategy = ResolutionStrategy(new.resolutionStrategy)
            guard strategy.message == new.resolutionStrategy else {
                throw RPCError.badField("issue_settings.resolution_strategy", "there is no such strategy")
            }
        case "status_mappings": mappings = try Self.mappings(new.statusMappings, states)
        default: throw RPCError.badField("update_mask", "\"\(path.prefix(64))\" cannot be changed")
        }
    }

    private static func mappings(
        _ mappings: [IssueStatusMapping], _ states: Set<String>?
    ) throws(RPCError) -> [String: StatusMapping] {
        let field = "issue_settings.status_mappings"
        guard mappings.count <= maximumMappingCount else {
            throw RPCError.badField(field, "at most \(maximumMappingCount) are allowed")
        }
        var found: [String: StatusMapping] = [:]
        for mapping in mappings {
            if !mapping.project.isEmpty { try IssueRules.checkProject(mapping.project, field) }
            for state in [mapping.resolvedStatus, mapping.unresolvedStatus] {
                try IssueRules.checkLine(state, field, 0...maximumStateCount)
                guard let states, !state.isEmpty, !states.contains(state) else { continue }
                throw RPCError.badField(
                    field, "the tracker has the states \(states.sorted().joined(separator: ", ")), not \"\(state)\""
                )
            }
            let new = StatusMapping(resolved: mapping.resolvedStatus, unresolved: mapping.unresolvedStatus)
            guard found.updateValue(new, forKey: mapping.project) == nil else {
                throw RPCError.badField(field, "each project once")
            }
        }
        return found
    }
}
