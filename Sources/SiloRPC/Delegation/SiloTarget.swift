/// What of a request's content says where it goes.
public enum SiloTarget: Sendable, Hashable {
    case control
    case organizationID(Int64)
    case organizationSlug(String)
    case cellName(String)
    case singleOrganization

    /// Whose data the call is about, when that is known without looking anything up.
    var organizationID: Int64? {
        if case .organizationID(let id) = self { id } else { nil }
    }

    /// - Throws: ``SiloError/validation(code:message:)`` when the request names nothing.
    func check() throws(SiloError) {
        let missing: String? =
            switch self {
            case .organizationID(let id): id > 0 ? nil : "the organization's id"
            case .organizationSlug(let slug): slug.isEmpty ? "the organization's slug" : nil
            case .cellName(let name): name.isEmpty ? "the cell's name" : nil
            case .control, .singleOrganization: nil
            }
        if let missing { throw .validation(code: "MISSING_ARGUMENT", message: "\(missing) is missing") }
    }
}

/// Where one call of a method goes.
public enum SiloRoute<Service: Sendable>: Sendable {
    /// Here; the typed call costs nothing more.
    case local(Service)
    /// Through encoding: to another silo, or through a round trip here.
    case remote(SiloHop)
}

/// The way of one call that is encoded.
public struct SiloHop: Sendable {
    let method: SiloMethod
    let target: SiloTarget
    /// nil: here, through encoding and decoding.
    let destination: SiloAddress?
}

/// Checks of a request's content before the service is called.
public enum SiloArgument {
    /// - Throws: ``SiloError/validation(code:message:)`` for an argument that the caller left out.
    public static func required<Value>(_ value: Value?, _ field: String) throws(SiloError) -> Value {
        guard let value else { throw .validation(code: "MISSING_ARGUMENT", message: "\(field) is missing") }
        return value
    }
}
