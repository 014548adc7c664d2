import FrameCodec
import ScmAPI

/// What an organization lets pass between its groups and the issues of one tracker. Without a row everything passes.
struct IssueSyncSettings: Sendable, Equatable {
    static let maximumMappingCount = 1000
    static let maximumStateCount = 64

    var carriesStatusOut = true
    var carriesStatusIn = true
    var carriesAssigneeOut = true
    var carriesAssigneeIn = true
    var carriesComments = true
    var strategy = ResolutionStrategy.plain
    /// By the tracker's container; the one under the empty name is for all others.
    var mappings: [String: StatusMapping] = [:]
    /// Milliseconds since 1970 UTC; 0 for never.
    var updatedAt: Int64 = 0

    /// - Parameter standard: the tracker's own mapping; nil when it has none.
    func mapping(project: String, standard: StatusMapping?) -> StatusMapping? {
        mappings[project] ?? mappings[""] ?? standard
    }
}

extension ResolutionStrategy {
    init(_ strategy: IssueResolutionStrategy) {
        switch strategy {
        case .nextRelease: self = .nextRelease
        case .currentRelease: self = .currentRelease
        default: self = .plain
        }
    }

    var message: IssueResolutionStrategy {
        switch self {
        case .plain: .unspecified
        case .nextRelease: .nextRelease
        case .currentRelease: .currentRelease
        }
    }
}

// The message is also what is stored.
extension IssueSyncSettings {
    init(_ message: IssueSettings, updatedAt: Int64) {
        carriesStatusOut = message.syncStatusForward
        carriesStatusIn = message.syncStatusReverse
        carriesAssigneeOut = message.syncForwardAssignment
        carriesAssigneeIn = message.syncReverseAssignment
        carriesComments = message.syncComments
        strategy = ResolutionStrategy(message.resolutionStrategy)
        mappings = Dictionary(message.statusMappings.map {
            ($0.project, StatusMapping(resolved: $0.resolvedStatus, unresolved: $0.unresolvedStatus))
        }) { _, last in last }
        self.updatedAt = updatedAt
    }

    func message(integrationID: Int64, organizationID: Int64) -> IssueSettings {
        IssueSettings(
            organizationID: organizationID, integrationID: integrationID, syncStatusForward: carriesStatusOut,
            syncStatusReverse: carriesStatusIn, syncForwardAssignment: carriesAssigneeOut,
            syncReverseAssignment: carriesAssigneeIn, syncComments: carriesComments,
            resolutionStrategy: strategy.message,
            statusMappings: mappings.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
                IssueStatusMapping(
                    project: $0.key, resolvedStatus: $0.value.resolved, unresolvedStatus: $0.value.unresolved
                )
            },
            dateUpdated: updatedAt > 0 ? .init(millisecondsSinceEpoch: updatedAt) : nil
        )
    }
}
