import HTTPTransport

/// A plain HTTP resource beside the calls, on the same port: a health page, metrics, files.
///
/// `/healthz` matches that path only; `/files/` (ends in a slash) everything that begins with it, the longest such path
/// first. `/` alone is the root and nothing else: no route may stand before the paths of calls. Paths are compared byte
/// for byte, without the query. A method that the path does not have is 405 with
/// `Allow`; HEAD is served by the route for GET (the transport leaves the body out).
public struct HTTPRoute: Sendable {
    public let method: HTTPMethod
    public let path: String
    /// Answers the exchange. Starts on its event loop, which it must not block; called concurrently. What it leaves
    /// unanswered becomes 500.
    public let handler: HTTPHandler

    public init(_ method: HTTPMethod, _ path: String, handler: @escaping HTTPHandler) {
        self.method = method
        self.path = path
        self.handler = handler
    }
}

/// The routes of one server, by path.
struct RouteTable: Sendable {
    /// What a path offers.
    struct Resource: Sendable {
        fileprivate let path: [UInt8]
        fileprivate var routes: [HTTPRoute]

        /// The handler for a method; nil when the resource does not have it.
        func handler(_ method: HTTPMethod) -> HTTPHandler? {
            let wanted = routes.last { $0.method == method }
            let fallback = method == .head ? routes.last { $0.method == .get } : nil
            return (wanted ?? fallback)?.handler
        }

        /// The methods of the resource, for `Allow`, in the order of their registration.
        var methods: [HTTPMethod] {
            var methods: [HTTPMethod] = []
            for route in routes {
                if !methods.contains(route.method) { methods.append(route.method) }
                if route.method == .get, !methods.contains(.head) { methods.append(.head) }
            }
            return methods
        }
    }

    /// Longest path first, so that the first match is the best one.
    private let resources: [Resource]

    init(_ routes: [HTTPRoute]) {
        var resources: [Resource] = []
        for route in routes {
            let path = Array(route.path.utf8)
            if let index = resources.firstIndex(where: { $0.path == path }) {
                resources[index].routes.append(route)
            } else {
                resources.append(Resource(path: path, routes: [route]))
            }
        }
        self.resources = resources.sorted { $0.path.count > $1.path.count }
    }

    /// - Parameter target: path and query of a request.
    func resource(_ target: UnsafeRawBufferPointer) -> Resource? {
        guard !resources.isEmpty else { return nil }
        let path = target.prefix { $0 != UInt8(ascii: "?") }
        return resources.first { resource in
            resource.path.count > 1 && resource.path.last == UInt8(ascii: "/")
                ? path.starts(with: resource.path) : path.elementsEqual(resource.path)
        }
    }
}
