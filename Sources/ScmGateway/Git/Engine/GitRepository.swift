import Synchronization

/// A repository that the engine has opened: where it is, and how many processes may work in it at once.
final class GitRepository: Sendable {
    /// Never used again in this process, unlike an address: what is cached for a repository that was dropped can never
    /// be taken for another one's.
    let id: ID
    let location: RepositoryLocation
    /// One-shot commands.
    let commands: AsyncSemaphore
    /// Callers of `cat-file` processes.
    let readers: AsyncSemaphore
    /// What HEAD stood for when its files were last looked at.
    let head = KnownHead()
    let objectFolders: ObjectFolders

    init(location: RepositoryLocation, configuration: GitConfiguration) {
        id = ID(number: Self.nextID.wrappingAdd(1, ordering: .relaxed).newValue)
        self.location = location
        objectFolders = ObjectFolders(location)
        commands = AsyncSemaphore(
            limit: configuration.maximumConcurrentCommandsPerRepository,
            queueLimit: configuration.maximumQueuedCommands,
            knob: "maximumQueuedCommands"
        )
        readers = AsyncSemaphore(
            limit: configuration.maximumObjectReadersPerRepository,
            queueLimit: configuration.maximumQueuedCommands,
            knob: "maximumQueuedCommands"
        )
    }

    struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private static let nextID = Atomic<UInt64>(0)
}
