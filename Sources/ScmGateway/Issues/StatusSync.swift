/// How a group of errors stands, as far as issues care.
enum GroupStatus: Int64, Sendable {
    case unresolved = 1
    case resolved = 2
    /// Put aside by a person: no tracker changes it.
    case archived = 3
}

/// What a synchronisation came to.
enum SyncOutcome: Equatable, Sendable {
    enum Reason: String, Sendable {
        case disabled
        case groupState = "group_state"
        case badKey = "bad_key"
        case noProjectMapping = "no_project_mapping"
        case notLinked = "not_linked"
    }

    case changed
    case unchanged
    case skipped(Reason)

    /// As trailing metadata carries it.
    var text: String {
        switch self {
        case .changed: "changed"
        case .unchanged: "unchanged"
        case .skipped(let reason): "skipped:\(reason.rawValue)"
        }
    }
}

/// The tracker's words for a resolved and an unresolved group, per project of the tracker. An empty one stands for
/// "carry nothing".
struct StatusMapping: Equatable, Sendable {
    var resolved: String
    var unresolved: String

    static let embedded = StatusMapping(resolved: "closed", unresolved: "open")
}

/// From a group to the tracker. The order of the checks is that of the reasons a person would want to hear first.
///
/// ```
/// group archived -> skipped:group_state
/// switched off   -> skipped:disabled
/// key unreadable -> skipped:bad_key
/// no mapping     -> skipped:no_project_mapping
/// tracker has it -> unchanged            (the loop guard: what came in does not go out again)
/// else           -> write
/// ```
enum OutboundStatus: Equatable {
    case write(String)
    case done(SyncOutcome)

    /// - Parameters:
    ///   - hasKey: whether the key can be read.
    ///   - mapping: nil for a project of the tracker that has none.
    ///   - current: the tracker's state now.
    static func plan(
        _ status: GroupStatus, isEnabled: Bool, hasKey: Bool, mapping: StatusMapping?, current: String
    ) -> OutboundStatus {
        guard status != .archived else { return .done(.skipped(.groupState)) }
        guard isEnabled else { return .done(.skipped(.disabled)) }
        guard hasKey else { return .done(.skipped(.badKey)) }
        guard let mapping else { return .done(.skipped(.noProjectMapping)) }
        let desired = status == .resolved ? mapping.resolved : mapping.unresolved
        guard !desired.isEmpty else { return .done(.skipped(.noProjectMapping)) }
        return desired == current ? .done(.unchanged) : .write(desired)
    }
}

/// What a tracker told about an issue.
struct TrackerEvent: Sendable {
    var action = ""
    var oldState = ""
    var newState = ""

    enum Effect: Equatable {
        case resolve, unresolve, nothing
    }

    /// How a tracker says "done". Those that name actions are read by the action, the others by the states.
    struct Meaning: Sendable {
        var resolving: Set<String> = []
        var unresolving: Set<String> = []
        /// States that mean "done".
        var done: Set<String> = []

        static let github = Meaning(resolving: ["closed"], unresolving: ["reopened"])
        static let gitlab = Meaning(resolving: ["close"], unresolving: ["reopen"])
        static let embedded = Meaning(resolving: ["closed"], unresolving: ["reopened"], done: ["closed"])

        /// - Parameter done: the states of the categories Resolved and Completed.
        static func azure(done: Set<String>) -> Meaning { Meaning(done: done) }
    }

    func effect(_ meaning: Meaning) -> Effect {
        if !action.isEmpty, !meaning.resolving.isEmpty {
            return meaning.resolving.contains(action)
                ? .resolve : meaning.unresolving.contains(action) ? .unresolve : .nothing
        }
        guard !newState.isEmpty, !meaning.done.isEmpty else { return .nothing }
        let (wasDone, isDone) = (meaning.done.contains(oldState), meaning.done.contains(newState))
        if !wasDone, isDone { return .resolve }
        return (wasDone || oldState.isEmpty) && !isDone ? .unresolve : .nothing
    }
}

/// How a group that a tracker resolves is resolved.
enum ResolutionStrategy: String, Sendable {
    case plain = ""
    case nextRelease = "resolve_next_release"
    case currentRelease = "resolve_current_release"

    /// Releases count only when every project that is affected has one.
    func applied(everyProjectHasRelease: Bool) -> ResolutionStrategy {
        everyProjectHasRelease ? self : .plain
    }
}

extension TrackerEvent.Effect {
    /// The new status of a group that is linked to the issue; nil when it stays as it is.
    func status(after old: GroupStatus) -> GroupStatus? {
        switch (self, old) {
        case (.nothing, _), (_, .archived): nil
        case (.resolve, let old): old == .resolved ? nil : .resolved
        case (.unresolve, let old): old == .unresolved ? nil : .unresolved
        }
    }
}
