import RPC

/// Lets a call of the public through in a cell only when its organization lives there: a cell never touches what
/// belongs to another one.
///
/// Stands behind ``APIKeyInterceptor``, which says whose call it is.
public struct CellGuardInterceptor: ServerInterceptor {
    private let silo: Silo
    private let cell: CellName
    private let services: Set<String>

    /// - Parameter services: full names of the services whose rows live in cells.
    /// - Throws: ``SiloError/cellContext(_:)`` when this process is no cell.
    public init(_ silo: Silo, services: Set<String>) throws(SiloError) {
        self.silo = silo
        cell = try silo.localCell()
        self.services = services
    }

    /// - Throws: ``SiloError/wrongCell(expected:actual:)``
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        if services.contains(context.method.service), let organization = context.serviceContext[PrincipalKey.self] {
            try await check(organization.organizationID)
        }
        try await next(call, context)
    }

    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        !services.contains(context.method.service)
    }

    private func check(_ organizationID: Int64) async throws {
        let organization = OrganizationReference.id(organizationID)
        guard let organizations = silo.organizations else { return }
        var name = try await organizations.cell(of: organization)
        if name != cell.description { name = try await organizations.refreshedCell(of: organization) }
        guard name == cell.description else {
            throw SiloError.wrongCell(expected: cell, actual: name.flatMap { try? CellName($0) })
        }
    }
}
