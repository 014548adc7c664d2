import ArgumentParser
import FrameCodec
import Foundation
import NIOPosix
import Operations
import RPC

/// `scm-gateway admin connections|streams|methods|disable|enable`.
struct AdminCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Looks into a running server, and switches methods off and on.",
        discussion: """
            Asks the administration listener (`serve --admin-listen 127.0.0.1:9090`), or the public port with a key \
            that has the scope scm:admin.
            """,
        subcommands: [Connections.self, Streams.self, Methods.self, Disable.self, Enable.self]
    )

    struct Target: ParsableArguments {
        @Option(help: "Address of the server. [env: SCM_GATEWAY_ADMIN_ADDRESS, default: http://127.0.0.1:9090]")
        var address: String?

        @Option(
            help: """
                API key with the scope scm:admin; not needed at the administration listener. \
                [env: SCM_GATEWAY_API_KEY]
                """
        )
        var apiKey: String?

        func call<R: Sendable>(_ body: @Sendable (AdminServiceClient) async throws -> R) async throws -> R {
            let environment = ProcessInfo.processInfo.environment
            let text = address ?? environment["SCM_GATEWAY_ADMIN_ADDRESS"] ?? "http://127.0.0.1:9090"
            let configuration = try RPCChannel.Configuration(
                address: text, apiKey: apiKey ?? environment["SCM_GATEWAY_API_KEY"])
            let channel = RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
            do {
                let result = try await body(AdminServiceClient(channel: channel))
                await channel.close()
                return result
            } catch let error as RPCError {
                await channel.close()
                FileHandle.standardError.write(Data("\(error)\n".utf8))
                throw ExitCode(Int32(truncatingIfNeeded: error.code.rawValue))
            }
        }
    }

    struct Connections: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists open connections, oldest first.")
        @OptionGroup var target: Target
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await target.call { try await $0.listConnections(.init(limit: 10_000)) }
            let rows: [[Table.Value]] = answer.connections.map { connection in
                [
                    .integer(connection.id), .text(connection.peer), .text(connection.protocol),
                    .text(connection.isTls ? "yes" : "no"), Table.Value.seconds(connection.age),
                    .integer(Int64(connection.streamCount)), .integer(Int64(connection.runningHandlerCount)),
                    .integer(connection.requestCount), .text(connection.isDraining ? "yes" : "no"),
                ]
            }
            try Table(
                columns: ["id", "peer", "protocol", "tls", "age", "streams", "handlers", "requests", "draining"],
                rows: rows
            ).show(output)
        }
    }

    struct Streams: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists requests in progress, oldest first.")
        @Option(help: "Only those of this connection, from `scm-gateway admin connections`.")
        var connection: Int64 = 0
        @OptionGroup var target: Target
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await target.call { [connection] in
                try await $0.listStreams(.init(connectionID: connection, limit: 10_000))
            }
            let rows: [[Table.Value]] = answer.streams.map { stream in
                [
                    .integer(stream.connectionID), .text(stream.path), Table.Value.seconds(stream.age),
                    .integer(stream.receivedByteCount), .integer(stream.sentByteCount),
                    Table.Value.seconds(stream.timeLeft), .text(stream.handlerState.name),
                ]
            }
            try Table(
                columns: ["connection", "path", "age", "received", "sent", "timeLeft", "handler"], rows: rows
            ).show(output)
        }
    }

    struct Methods: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all methods, their calls and whether they are on.")
        @OptionGroup var target: Target
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await target.call { try await $0.listMethods(.init()) }
            try Table(columns: Self.columns, rows: answer.methods.map(Self.row)).show(output)
        }

        static let columns = ["path", "enabled", "started", "ok", "failed", "inFlight"]

        static func row(_ method: Operations.Method) -> [Table.Value] {
            [
                .text(method.path), .text(method.isEnabled ? "yes" : "no"), .integer(method.startedCount),
                .integer(method.succeededCount), .integer(method.failedCount), .integer(method.inFlightCount),
            ]
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Switches a method off until the server ends, or until `admin enable`."
        )
        @Argument(help: "/service/method, from `scm-gateway admin methods`.")
        var method: String
        @Option(help: "Why, for callers to read.")
        var reason = ""
        @OptionGroup var target: Target
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await AdminCommand.set(method, isEnabled: false, reason: reason, target, output)
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Switches a method on again.")
        @Argument(help: "/service/method, from `scm-gateway admin methods`.")
        var method: String
        @OptionGroup var target: Target
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await AdminCommand.set(method, isEnabled: true, reason: "", target, output)
        }
    }

    private static func set(
        _ method: String, isEnabled: Bool, reason: String, _ target: Target, _ output: OutputOptions
    ) async throws {
        let answer = try await target.call {
            try await $0.setMethodEnabled(.init(path: method, isEnabled: isEnabled, reason: reason))
        }
        try Table(columns: Methods.columns, rows: answer.method.map { [Methods.row($0)] } ?? []).show(output)
    }
}

extension Operations.Stream.HandlerState {
    fileprivate var name: String {
        switch self {
        case .waiting: "waiting"
        case .running: "running"
        case .cancelled: "cancelled"
        case .returned: "returned"
        default: "unknown"
        }
    }
}

extension Table.Value {
    /// Seconds with three digits after the point.
    fileprivate static func seconds(_ duration: Protobuf.Duration?) -> Table.Value {
        guard let duration else { return .none }
        return .text(String(format: "%d.%03d", duration.seconds, Int(duration.nanos) / 1_000_000))
    }
}
