import ArgumentParser
import FrameCodec
import Foundation
import HTTPTransport
import NIOCore
import NIOPosix
import RPC
import ScmAPI

/// `scm-gateway call METHOD JSON`: one call, JSON in and out.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Calls a method with JSON and prints the answer as JSON.",
        discussion: """
            A streamed answer prints one line for each message. Errors go to standard error, and the exit code is \
            the gRPC status number (5 NOT_FOUND, 16 UNAUTHENTICATED ...); 0 is OK.

            Without METHOD: lists the methods.

            Examples:
              export SCM_GATEWAY_API_KEY=scm_...
              scm-gateway call ListRepositories
              scm-gateway call GetCommitContext '{"repositoryId": 1, "filepath": "README.md", "lineNumber": 1}'
              scm-gateway call BlameFile '{"repositoryId": 1, "path": "README.md"}'
              echo '{"pageSize": 10}' | scm-gateway call ListRepositories -
            """
    )

    @Argument(help: "Method name, such as GetCommitContext, or the full path /package.Service/Method.")
    var method: String?

    @Argument(help: "The request as JSON; - reads standard input.")
    var json = "{}"

    @Option(
        help: """
            Address of the server: http://HOST:PORT, https://HOST:PORT or unix:PATH. \
            [env: SCM_GATEWAY_ADDRESS, default: http://127.0.0.1:8080]
            """
    )
    var address: String?

    @Option(help: "PEM file with the authorities that may have issued the server's certificate; else the system's.")
    var caCertificate: String?

    @Option(help: "PEM file with this client's certificate, for servers that ask for one.")
    var certificate: String?

    @Option(help: "PEM file with the client certificate's key.")
    var key: String?

    @Flag(help: "Do not check the server's certificate: anybody on the way can read the key and change the answer.")
    var insecureTrustAnyServer = false

    @Option(help: "API key. [env: SCM_GATEWAY_API_KEY]")
    var apiKey: String?

    @Option(help: "Seconds until the call fails with DEADLINE_EXCEEDED; fractions allowed.")
    var timeout = 30.0

    @Option(help: "\(Wire.allCases.map(\.rawValue).joined(separator: ", ")).")
    var wire = Wire.grpc

    @Option(name: [.customShort("H"), .long], help: "Metadata \"name: value\"; repeatable.")
    var header: [String] = []

    @Flag(help: "Print the answer over several lines.")
    var pretty = false

    enum Wire: String, CaseIterable, ExpressibleByArgument {
        case grpc
        case grpcWeb = "grpc-web"
        case grpcWebText = "grpc-web-text"
        case grpcWebHTTP2 = "grpc-web-http2"
        case grpcWebTextHTTP2 = "grpc-web-text-http2"
        case connect
        case connectHTTP2 = "connect-http2"

        var channelWire: RPCChannel.Wire {
            switch self {
            case .grpc: .grpc
            case .grpcWeb: .grpcWebHTTP1
            case .grpcWebText: .grpcWebTextHTTP1
            case .grpcWebHTTP2: .grpcWebHTTP2
            case .grpcWebTextHTTP2: .grpcWebTextHTTP2
            case .connect: .connectHTTP1
            case .connectHTTP2: .connectHTTP2
            }
        }
    }

    func run() async throws {
        guard let method else { return listMethods() }
        let types = try Self.types(of: method)
        let request = try requestBytes(types.request)
        let channel = RPCChannel(try channelConfiguration(), group: MultiThreadedEventLoopGroup.singleton)
        do {
            try await exchange(types, request: request, over: channel)
            await channel.close()
        } catch let error as RPCError {
            await channel.close()
            report(error)
            throw ExitCode(Int32(truncatingIfNeeded: error.code.rawValue))
        }
    }

    private func exchange(_ types: MethodTypes, request: [UInt8], over channel: RPCChannel) async throws {
        let seconds = Duration.milliseconds(Int64(timeout * 1000))
        let call = try await channel.start(types.descriptor, options: CallOptions(timeout: seconds))
        try await call.send(bytes: ByteBuffer(bytes: request))
        await call.finishSending()
        while let message = try await call.nextMessage() {
            StandardOutput.line(try jsonText(types.response, Array(message.readableBytesView)))
        }
    }

    private static func types(of method: String) throws -> MethodTypes {
        let known = ScmServiceMethod.types
        guard let types = known.first(where: { $0.descriptor.method == method || $0.descriptor.path == method }) else {
            throw ValidationError("no method \"\(method)\"; `scm-gateway call` without arguments lists them")
        }
        return types
    }

    private func listMethods() {
        for types in ScmServiceMethod.types {
            let stream = types.descriptor.kind == .serverStreaming ? "stream " : ""
            print("\(types.descriptor.method)  \(types.request.schema.name) -> \(stream)\(types.response.schema.name)")
        }
    }

    private func requestBytes(_ type: any Message.Type) throws -> [UInt8] {
        let text = json == "-" ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : json
        do {
            return try type.init(jsonString: text, options: JSONDecodingOptions(types: GoogleRPC.errorDetails))
                .serializedBytes()
        } catch {
            throw ValidationError("the request is not valid JSON for \(type.schema.name): \(error)")
        }
    }

    private func jsonText(_ type: any Message.Type, _ bytes: [UInt8]) throws -> String {
        var options = JSONEncodingOptions(types: GoogleRPC.errorDetails)
        options.isPretty = pretty
        return try type.init(serializedBytes: bytes).jsonString(options: options)
    }

    private func channelConfiguration() throws -> RPCChannel.Configuration {
        let environment = ProcessInfo.processInfo.environment
        let text = address ?? environment["SCM_GATEWAY_ADDRESS"] ?? "http://127.0.0.1:8080"
        guard timeout > 0, timeout < 1e9 else { throw ValidationError("--timeout must be above 0 seconds") }
        var configuration = try RPCChannel.Configuration(
            address: text, apiKey: apiKey ?? environment["SCM_GATEWAY_API_KEY"], wire: wire.channelWire)
        try setTLS(&configuration)
        for line in header {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count == 2, configuration.metadata.add(parts[0], parts[1]) else {
                throw ValidationError("--header must look like \"name: value\" and not be reserved: \"\(line)\"")
            }
        }
        return configuration
    }

    private func setTLS(_ configuration: inout RPCChannel.Configuration) throws {
        guard var tls = configuration.tls else {
            if caCertificate != nil || certificate != nil || key != nil || insecureTrustAnyServer {
                throw ValidationError("--ca-certificate, --certificate, --key and the like need an https:// address")
            }
            return
        }
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError("--certificate and --key belong together")
        }
        if let caCertificate { tls.trustRoots = .custom(.file(caCertificate)) }
        if let certificate, let key {
            tls.identity = TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key))
        }
        tls.dangerouslyTrustsAnyServer = insecureTrustAnyServer
        configuration.tls = tls
    }

    private func report(_ error: RPCError) {
        var text = "\(error)\n"
        if let info = error.detail(GoogleRPC.ErrorInfo.self) { text += "reason: \(info.domain)/\(info.reason)\n" }
        if let bad = error.detail(GoogleRPC.BadRequest.self) {
            for violation in bad.fieldViolations { text += "field \(violation.field): \(violation.description)\n" }
        }
        FileHandle.standardError.write(Data(Self.harmless(text).utf8))
    }

    /// What the server wrote must not steer the terminal: control characters as they are written in source text.
    private static func harmless(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            result += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
}
