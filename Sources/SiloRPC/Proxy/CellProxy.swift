import HTTPTransport
import NIOCore
import RPC

/// Control's side of services that live in cells: finds the caller's organization by its key and hands the request on
/// to the organization's cell, undecoded.
public struct CellProxy: Sendable {
    private let keys: APIKeyInterceptor
    private let organizations: any OrganizationCells
    private let client: SiloHTTPClient
    private let running = RunningCalls()

    public init(keys: APIKeyInterceptor, organizations: any OrganizationCells, client: SiloHTTPClient) {
        self.keys = keys
        self.organizations = organizations
        self.client = client
    }

    /// Routes for every method of a service, in every protocol that calls by POST or GET, and for resources by any
    /// verb.
    ///
    /// - Parameter resources: paths below which the same service is plain HTTP resources, such as `/v1/`.
    public func routes(service: String, resources: [String] = []) -> [HTTPRoute] {
        let places = [("/\(service)/", ProxyRefusal.Form.call)] + resources.map { ($0, ProxyRefusal.Form.resource) }
        return places.flatMap { path, form in
            let verbs: [HTTPMethod] = form == .call ? [.post, .get] : [.post, .get, .put, .patch, .delete]
            return verbs.map { method in HTTPRoute(method, path) { await forward($0, form) } }
        }
    }

    private func forward(_ exchange: HTTPExchange, _ form: ProxyRefusal.Form) async {
        do throws(ProxyRefusal) {
            let (organization, destination) = try await place(of: exchange)
            let maximum = client.configuration.maximumProxiedExchangesPerOrganization
            guard running.begin(organization, maximum) else {
                client.note(destination, ProxyRefusal.share(maximum).reason)
                throw .share(maximum)
            }
            defer { running.end(organization) }
            await client.proxy(exchange, to: destination, form)
        } catch {
            error.answer(exchange, form, client.configuration.crossOrigin)
        }
    }

    private func place(of exchange: HTTPExchange) async throws(ProxyRefusal) -> (organization: Int64, CellName) {
        do {
            let organization = try await keys.organization(of: Metadata(fields: exchange.fields))
            guard let name = try await organizations.cell(of: .id(organization)), let cell = try? CellName(name) else {
                throw ProxyRefusal.noCell
            }
            return (organization, cell)
        } catch let error as ProxyRefusal {
            throw error
        } catch let error as RPCError {
            throw ProxyRefusal(error)
        } catch {
            throw ProxyRefusal.unknown
        }
    }
}
