/// A repository that the engine has opened: where it is, and how many processes may work in it at once.
final class GitRepository: Sendable {
    let location: RepositoryLocation
    /// One-shot commands.
    let commands: AsyncSemaphore
    /// Callers of `cat-file` processes.
    let readers: AsyncSemaphore
    /// What HEAD stood for when its files were last looked at.
    let head = KnownHead()

    init(location: RepositoryLocation, configuration: GitConfiguration) {
        self.location = location
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
}
