import HTTPTransport
import NIOCore
import RPC

/// Control's side of services that live in cells: finds the caller's organization by its key and hands the call on to the
/// organization's cell, undecoded.
public struct CellProxy: Sendable {
    private let keys: APIKeyInterceptor
    private let organizations: any OrganizationCells
    private let client: SiloHTTPClient

    public init(keys: APIKeyInterceptor, organizations: any OrganizationCells, client: SiloHTTPClient) {
        self.keys = keys
        self.organizations = organizations
        self.client = client
    }

    /// Routes for every method of a service, in every protocol that calls by POST or GET.
    public func routes(service: String) -> [HTTPRoute] {
        [HTTPMethod.post, .get].map { method in HTTPRoute(method, "/\(service)/") { await forward($0) } }
    }

    private func forward(_ exchange: HTTPExchange) async {
        do {
            let principal = try await keys.principal(of: Metadata(fields: exchange.fields))
            guard let name = try await organizations.cell(of: .id(principal.organizationID)), let cell = try? CellName(name)
            else {
                return ProxyAnswer.refuse(exchange, 421, "no cell has the organization of this key")
            }
            await client.proxy(exchange, to: cell)
        } catch let error as RPCError {
            let status = error.code == .unauthenticated ? 401 : error.code == .permissionDenied ? 403 : 503
            ProxyAnswer.refuse(exchange, status, error.message)
        } catch {
            ProxyAnswer.refuse(exchange, 503, "the cell of the organization cannot be found now")
        }
    }
}
