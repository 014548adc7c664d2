/// How errors stand in an OpenAPI document: one response for each HTTP status, with an example.
enum OpenAPIProblems {
    /// What any method may answer.
    private static let common: [StatusCode] = [
        .invalidArgument, .unauthenticated, .permissionDenied, .notFound, .resourceExhausted, .unimplemented,
        .unavailable, .deadlineExceeded,
    ]

    /// - Parameter codes: what the method may answer besides.
    static func references(_ codes: [StatusCode]) -> [(String, JSONValue)] {
        let statuses = Set((common + codes).map(\.connectHTTPStatus)).intersection(examples.map(\.status)).sorted()
        func reference(_ name: String) -> JSONValue {
            .object([("$ref", .text("#/components/responses/\(name)"))])
        }
        return statuses.map { ("\($0)", reference("Problem\($0)")) } + [("default", reference("Problem"))]
    }

    private struct Example {
        let status: Int
        let meaning: String
        let title: String
        let code: StatusCode
        let reason: String
        let detail: String
    }

    private static let examples = [
        Example(
            status: 400, meaning: "The request is wrong (INVALID_ARGUMENT), or does not fit the state of things "
                + "(FAILED_PRECONDITION).", title: "Bad Request", code: .invalidArgument, reason: "BAD_REQUEST",
            detail: "page_size: a page size is not negative"
        ),
        Example(
            status: 401, meaning: "No key, one that is not valid, or a bad signature.", title: "Unauthorized",
            code: .unauthenticated, reason: "UNAUTHENTICATED", detail: "this call needs an API key"
        ),
        Example(
            status: 403, meaning: "The key lacks the scope, or belongs to another organization.", title: "Forbidden",
            code: .permissionDenied, reason: "SCOPE_MISSING", detail: "the API key lacks the scope scm:write"
        ),
        Example(
            status: 404, meaning: "There is no such thing in this organization.", title: "Not Found", code: .notFound,
            reason: "REPOSITORY_NOT_FOUND", detail: "there is no such repository in this organization"
        ),
        Example(
            status: 409, meaning: "It is there already (ALREADY_EXISTS), or somebody is at it (ABORTED).",
            title: "Conflict", code: .alreadyExists, reason: "REPO_EXISTS",
            detail: "the repository is registered already"
        ),
        Example(
            status: 429, meaning: "A limit; `retry-after` says when to try again.", title: "Too Many Requests",
            code: .resourceExhausted, reason: "RATE_LIMITED", detail: "the key may make 60 calls in a minute"
        ),
        Example(
            status: 501, meaning: "The provider cannot do this.", title: "Not Implemented", code: .unimplemented,
            reason: "CAPABILITY_MISSING", detail: "an allowance of requests is not served for this kind of repository"
        ),
        Example(
            status: 503, meaning: "Try again.", title: "Service Unavailable", code: .unavailable,
            reason: "LIMIT_REACHED", detail: "the database is busy: try again"
        ),
        Example(
            status: 504, meaning: "It took too long.", title: "Gateway Timeout", code: .deadlineExceeded,
            reason: "LIMIT_REACHED", detail: "the call's deadline has passed"
        ),
    ]

    /// All responses by name.
    static let responses: [(String, JSONValue)] =
        [("Problem", response("Any other error (RFC 9457).", nil))]
        + examples.map { ("Problem\($0.status)", response($0.meaning, $0)) }

    private static func response(_ description: String, _ example: Example?) -> JSONValue {
        var media: [(String, JSONValue)] = [("schema", .object([("$ref", .text("#/components/schemas/Problem"))]))]
        if let example {
            media.append(("example", .object([
                ("type", .text("about:blank")), ("title", .text(example.title)), ("status", .number(example.status)),
                        ("detail", .text(example.detail)), ("code", .text("\(example.code)")),
                        ("reason", .text(example.reason)),
                ("domain", .text("scm")),
            ])))
        }
        return .object([
            ("description", .text(description)),
            ("content", .object([("application/problem+json", .object(media))])),
        ])
    }

    static let schema: JSONValue = {
        func text(_ name: String) -> (String, JSONValue) { (name, .object([("type", .text("string"))])) }
        let violation: JSONValue = .object([
            ("type", .text("object")), ("properties", .object([text("field"), text("description")])),
        ])
        return .object([
            ("type", .text("object")),
            ("required", .list(["type", "title", "status", "detail"].map { .text($0) })),
            ("properties", .object([
                text("type"), text("title"), ("status", .object([("type", .text("integer"))])), text("detail"),
                text("code"), text("reason"), text("domain"),
                ("metadata", .object([
                    ("type", .text("object")), ("additionalProperties", .object([("type", .text("string"))])),
                ])),
                ("violations", .object([("type", .text("array")), ("items", violation)])),
            ])),
        ])
    }()
}
