/// What part of the system a process is.
public enum SiloMode: String, Sendable, CaseIterable {
    /// Everything in one process: global and customer data together.
    case monolith
    /// Global data: organizations, keys, integrations.
    case control
    /// The customer data of some organizations.
    case cell
}
