import RPC

/// What is declared of one method of a silo service (`Protos/silo/options.proto`). Generated, one static per method;
/// every call carries a reference to it. Equal when the paths are.
public final class SiloMethod: Sendable, Hashable {
    /// What of the request says which cell shall answer.
    public enum Resolver: Sendable, Hashable {
        /// The field with the organization's id; `update.organization_id` for one of a nested message.
        case organizationID(field: String)
        case organizationSlug(field: String)
        case cellName(field: String)
        /// The only cell that holds organizations.
        case singleOrganization
    }

    /// What repeating a call does.
    public enum Idempotency: String, Sendable, Hashable {
        /// Changes nothing: may always be repeated.
        case readOnly
        /// Carries an idempotency key; the answer to the first is given to the others.
        case idempotent
        /// Is repeated only when it certainly did not arrive.
        case once
    }

    public enum Lifecycle: String, Sendable, Hashable {
        case active
        /// Still served; callers should move.
        case deprecated
        /// Declared, but neither sent nor served.
        case disabled
    }

    /// The RPC method that carries it.
    public let descriptor: MethodDescriptor
    /// Key of the service: unique, stable, such as `organization`.
    public let serviceKey: String
    public let home: SiloHome
    /// nil for control's methods.
    public let resolver: Resolver?
    /// An organization that no cell has is nil instead of an error, without traffic.
    public let returnsNoneIfUnmapped: Bool
    public let idempotency: Idempotency
    /// From the call to its answer, retries included.
    public let timeout: Duration
    /// Attempts after the first.
    public let retries: Int
    public let lifecycle: Lifecycle

    public init(
        _ descriptor: MethodDescriptor, serviceKey: String, home: SiloHome, resolver: Resolver? = nil,
        returnsNoneIfUnmapped: Bool = false, idempotency: Idempotency = .once, timeout: Duration = .seconds(5),
        retries: Int = 2, lifecycle: Lifecycle = .active
    ) {
        self.descriptor = descriptor
        self.serviceKey = serviceKey
        self.home = home
        self.resolver = resolver
        self.returnsNoneIfUnmapped = returnsNoneIfUnmapped
        self.idempotency = idempotency
        self.timeout = timeout
        self.retries = retries
        self.lifecycle = lifecycle
    }

    public static func == (left: SiloMethod, right: SiloMethod) -> Bool { left.descriptor == right.descriptor }

    public func hash(into hasher: inout Hasher) { hasher.combine(descriptor) }

    /// Name of the method, such as `GetMapping`.
    public var name: String { descriptor.method }
    /// `/package.Service/Method`.
    public var path: String { descriptor.path }
    /// `key.Method`: how switches, logs and metrics name it.
    public var key: String { "\(serviceKey).\(name)" }
}
