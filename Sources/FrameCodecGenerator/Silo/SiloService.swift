import FrameCodec

/// One silo service, checked: everything that its printer needs.
struct SiloService {
    let name: String
    let fullName: String
    let key: String
    let home: SiloOptions.Home
    let methods: [SiloMethodModel]
    let documentation: String
}

/// One method of a silo service.
struct SiloMethodModel {
    let name: String
    /// Swift name of the function.
    let function: String
    let request: String
    let response: String
    let parameters: [SiloParameter]
    let result: SiloResult
    let resolver: SiloResolver
    let returnsNone: Bool
    /// As the cases of `SiloMethod.Idempotency`.
    let idempotency: String
    let timeoutMilliseconds: UInt32
    let retries: UInt32
    /// As the cases of `SiloMethod.Lifecycle`.
    let lifecycle: String
    let documentation: String
}

/// One labelled parameter: a field of the request.
struct SiloParameter {
    /// Name in the .proto.
    let field: String
    /// Swift name, in backticks where needed.
    let member: String
    /// Type of the parameter, without a `?` when the field is required.
    let type: String
    /// ` = nil` and the like; empty when the caller must give it.
    let defaultValue: String
    /// The property is optional, the parameter is not.
    let isRequired: Bool
}

enum SiloResult {
    case nothing
    case message
    /// One property of the response.
    case property(member: String, type: String)
}

enum SiloResolver {
    case control
    /// Swift of the fields from the request down.
    case organizationID(field: String, members: [String])
    case organizationSlug(field: String, members: [String])
    case cellName(field: String, member: String, oldMember: String?)
    case singleOrganization

    /// Swift name of the message field that the resolver looks into; nil when it looks at the request itself.
    var root: String? {
        switch self {
        case .organizationID(_, let members), .organizationSlug(_, let members):
            members.count > 1 ? members.first : nil
        default: nil
        }
    }
}
