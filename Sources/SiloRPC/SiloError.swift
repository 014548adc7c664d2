/// What goes wrong between silos, and in administration. Every case says what happened in ``description``.
public enum SiloError: Error, Sendable, Equatable {
    // MARK: Administration

    /// A value is not acceptable.
    case invalid(String)
    /// There is no such thing.
    case notFound(String)
    /// There is one of that name already.
    case exists(String)
    /// It could be done to another row, or to this one in another state.
    case wrongState(String)

    // MARK: Set-up and directory

    /// Cells, localities, addresses or keys do not fit together: the process must not start.
    case configuration(String)
    /// No row maps the organization to a cell. The only error that `none_if_mapping_not_found` turns into nil.
    case mappingNotFound(String)
    /// It cannot be said which cell is meant, such as an unknown cell's name.
    case cellResolution(String)
    /// Only cells have a local cell, and this process is none.
    case cellContext(String)

    // MARK: Calls

    /// The organization lives in another cell than the one that was asked. `actual` is nil when the refusing cell does
    /// not know.
    case wrongCell(expected: CellName, actual: CellName?)
    /// The service lives in another silo than the one that was asked.
    case wrongSilo(method: String, asked: SiloAddress)
    /// The method is switched off, here or at the other side; nothing was run.
    case disabled(method: String, reason: String)
    /// The service refused the request's content; made for the caller's eyes.
    case validation(code: String, message: String)
    /// Cells do not call cells, and nobody calls while a transaction is open: a mistake of the program.
    case forbidden(String)
    /// Nothing came back, or nothing was sent: no connection, overload, the breaker, too many calls. `retryAfter` when
    /// it is known.
    case unavailable(SiloAddress, String, retryAfter: Duration?)
    /// No answer in time. What the call does may have happened.
    case deadlineExceeded(method: String, requestID: String)
    /// The other side does not take this silo's signature, or its calls.
    case refused(by: SiloAddress, String)
    /// A call with this idempotency key was begun before, and it is not known how it ended: it is not run again.
    case outcomeUnknown(method: String)
    /// The other side failed; its cause is in its log under the request id.
    case remote(method: String, message: String, requestID: String)

    /// Why administration was refused: what the value, the name or the row was.
    public var isInvalid: Bool { if case .invalid = self { true } else { false } }
    public var isNotFound: Bool { if case .notFound = self { true } else { false } }
    public var isExisting: Bool { if case .exists = self { true } else { false } }
    public var isWrongState: Bool { if case .wrongState = self { true } else { false } }
}

extension SiloError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalid(let text), .notFound(let text), .exists(let text), .wrongState(let text),
            .configuration(let text), .mappingNotFound(let text), .cellResolution(let text), .cellContext(let text),
            .forbidden(let text):
            text
        case .wrongCell(let expected, let actual):
            "this is cell \(expected); the organization lives in "
                + (actual.map { "cell \($0)" } ?? "a cell that is not known here")
        case .wrongSilo(let method, let asked): "\(method) is not served by \(asked)"
        case .disabled(let method, let reason): "\(method) is switched off: \(reason)"
        case .validation(let code, let message): "\(message) (\(code))"
        case .unavailable(let silo, let text, let retryAfter):
            "\(silo) cannot be called: \(text)" + (retryAfter.map { " (again in \($0))" } ?? "")
        case .deadlineExceeded(let method, let requestID): "\(method): no answer in time (request \(requestID))"
        case .refused(let silo, let text): "\(silo) refuses the call: \(text)"
        case .outcomeUnknown(let method):
            "\(method): a call with this idempotency key was begun before, and how it ended is not known"
        case .remote(let method, let message, let requestID):
            "\(method): \(message)" + (requestID.isEmpty ? "" : " (request \(requestID))")
        }
    }
}
