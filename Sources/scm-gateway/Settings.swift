import ArgumentParser
import Configuration
import Logging
import RPC
import SystemPackage

/// The settings that several commands share, as flags. Every flag has an environment variable and a file key:
/// `--data-folder`, `SCM_GATEWAY_DATA_FOLDER`, `"dataFolder"`. A flag wins over the environment, that over the file.
struct SettingsOptions: ParsableArguments {
    @Option(help: "JSON file with settings. [env: SCM_GATEWAY_CONFIG]")
    var config: String?

    @Option(help: "Folder of the database. [env: SCM_GATEWAY_DATA_FOLDER, default: .data]")
    var dataFolder: String?

    @OptionGroup(title: "Several silos") var silo: SiloOptions
}

struct ListenOptions: ParsableArguments {
    @Option(
        help: """
            Address to listen on, or unix:PATH; several with commas between. \
            [env: SCM_GATEWAY_LISTEN, default: 127.0.0.1]
            """
    )
    var listen: String?

    @Option(help: "TCP port to listen on; 0 takes a free one. [env: SCM_GATEWAY_PORT, default: 8080]")
    var port: Int?

    @OptionGroup(title: "TLS") var tls: TLSOptions

    @Option(
        name: .customLong("cors-origin"),
        help: "Browser origin that may call, such as http://localhost:8000; repeatable. [env: SCM_GATEWAY_CORS_ORIGINS]"
    )
    var corsOrigins: [String] = []

    @Option(
        name: .customLong("repository-root"),
        help: """
            Folder below which clients may register repositories (CreateRepository); repeatable; none by default. \
            [env: SCM_GATEWAY_REPOSITORY_ROOTS]
            """
    )
    var repositoryRoots: [String] = []

    @OptionGroup(title: "Mirrors") var mirrors: MirrorOptions

    @Option(
        name: .customLong("limit"),
        help: """
            NAME=NUMBER of a limit or timer (bytes, counts, seconds), such as connections=5000; repeatable; `--limit \
            help` lists the names. [env: SCM_GATEWAY_LIMITS]
            """
    )
    var limits: [String] = []

    @Option(help: "trace, debug, info, notice, warning or error. [env: SCM_GATEWAY_LOG_LEVEL, default: notice]")
    var logLevel: String?

    @Option(
        help: """
            Address and port of the administration listener, such as 127.0.0.1:9090: metrics, reflection, \
            administration, without a key; none by default. [env: SCM_GATEWAY_ADMIN_LISTEN]
            """
    )
    var adminListen: String?

    @Option(
        help: """
            Log calls: the share of successful ones, 0 to 1; failed ones are then always logged. \
            [env: SCM_GATEWAY_ACCESS_LOG, default: no access log]
            """
    )
    var accessLog: Double?

    @Option(
        help: """
            When answers are compressed, for clients that accept it: never, requested (the request was compressed), \
            always. [env: SCM_GATEWAY_COMPRESSION, default: requested]
            """
    )
    var compression: ResponseCompression?

    @Option(help: "Form of log lines: text or json. [env: SCM_GATEWAY_LOG_FORMAT, default: text]")
    var logFormat: LogFormat?

    @Option(
        name: .customLong("disable-method"),
        help: "Method to switch off, as /service/method; repeatable. [env: SCM_GATEWAY_DISABLED_METHODS]"
    )
    var disabledMethods: [String] = []

    @Option(
        help: """
            Seconds between the signal to stop and the end of accepting, in which /readyz says no, so that load \
            balancers move on. [env: SCM_GATEWAY_DRAIN_DELAY, default: 0]
            """
    )
    var drainDelay: Int?

    @Option(
        help: "Whether browsers get the web console under /console/: on or off. [env: SCM_GATEWAY_CONSOLE, default: on]"
    )
    var console: Switch?

    @Option(
        help: "Seconds that calls in progress get when the server stops. [env: SCM_GATEWAY_GRACE_PERIOD, default: 10]"
    )
    var gracePeriod: Int?
}

/// When answers are compressed.
enum ResponseCompression: String, CaseIterable, ExpressibleByArgument {
    case never, requested, always

    var policy: CompressionPolicy.Responses {
        switch self {
        case .never: .never
        case .requested: .whenRequestIsCompressed
        case .always: .whenAccepted
        }
    }
}

/// A flag that can be turned off again, also by the environment.
enum Switch: String, CaseIterable, ExpressibleByArgument {
    case on, off
}

/// How log lines look.
enum LogFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json
}

/// The effective settings of one process.
struct Settings: Sendable {
    var dataFolder = ".data"
    var listen = "127.0.0.1"
    var port = 8080
    var tls = TLSSettings()
    var corsOrigins: [String] = []
    var repositoryRoots: [String] = []
    var mirrors = MirrorSettings()
    var logLevel = Logger.Level.notice
    var gracePeriodSeconds = 10
    var limits = LimitSettings()
    var drainDelaySeconds = 0
    /// Host and port of the administration listener; nil for none.
    var adminListen: (host: String, port: Int)?
    /// Share of the successful calls that are logged; nil for no access log.
    var accessLog: Double?
    var logFormat = LogFormat.text
    var compression = ResponseCompression.requested
    var disabledMethods: [String] = []
    var console = true
    var silo = SiloSettings()

    var databasePath: String { FilePath(dataFolder).appending("scm-gateway.sqlite").string }

    /// - Throws: `ValidationError` that names the setting and where it came from.
    static func load(_ options: SettingsOptions, listen: ListenOptions? = nil) async throws -> Settings {
        let environment = EnvironmentVariablesProvider().prefixKeys(with: ["scm", "gateway"])
        var providers: [any ConfigProvider] = [environment]
        let path = options.config ?? ConfigReader(provider: environment).string(forKey: "config")
        if let path {
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(path)))
            } catch {
                throw ValidationError("cannot read the settings file \(path): \(error)")
            }
        }
        var settings = Settings()
        try await settings.read(ConfigReader(providers: providers))
        try settings.apply(options, listen)
        return settings
    }

    private mutating func read(_ reader: ConfigReader) async throws {
        dataFolder = try await Self.value("dataFolder") { try await reader.fetchString(forKey: $0) } ?? dataFolder
        listen = try await Self.value("listen") { try await reader.fetchString(forKey: $0) } ?? listen
        port = try await Self.value("port") { try await reader.fetchInt(forKey: $0) } ?? port
        try await tls.read(reader)
        try await silo.read(reader)
        corsOrigins =
            try await Self.value("corsOrigins") { try await reader.fetchStringArray(forKey: $0) } ?? corsOrigins
        repositoryRoots =
            try await Self.value("repositoryRoots") { try await reader.fetchStringArray(forKey: $0) } ?? repositoryRoots
        try await mirrors.read(reader)
        if let level = try await Self.value("logLevel", { try await reader.fetchString(forKey: $0) }) {
            logLevel = try Self.level(level)
        }
        gracePeriodSeconds =
            try await Self.value("gracePeriod") { try await reader.fetchInt(forKey: $0) } ?? gracePeriodSeconds
        try await readOperations(reader)
        if let bytes = try await Self.value("maximumMessageByteCount", { try await reader.fetchInt(forKey: $0) }) {
            try limits.apply(["maximumRequestMessageByteCount=\(bytes)"])
        }
        try limits.apply(try await Self.value("limits") { try await reader.fetchStringArray(forKey: $0) } ?? [])
    }

    private mutating func readOperations(_ reader: ConfigReader) async throws {
        if let text = try await Self.value("adminListen", { try await reader.fetchString(forKey: $0) }) {
            adminListen = try Self.place(text)
        }
        accessLog = try await Self.value("accessLog") { try await reader.fetchDouble(forKey: $0) } ?? accessLog
        if let text = try await Self.value("compression", { try await reader.fetchString(forKey: $0) }) {
            guard let choice = ResponseCompression(rawValue: text) else {
                throw ValidationError(
                    "compression \"\(text)\" is none of \(ResponseCompression.allCases.map(\.rawValue))")
            }
            compression = choice
        }
        if let text = try await Self.value("logFormat", { try await reader.fetchString(forKey: $0) }) {
            guard let format = LogFormat(rawValue: text) else {
                throw ValidationError("log format \"\(text)\" is none of \(LogFormat.allCases.map(\.rawValue))")
            }
            logFormat = format
        }
        disabledMethods =
            try await Self.value("disabledMethods") { try await reader.fetchStringArray(forKey: $0) } ?? disabledMethods
        if let text = try await Self.value("console", { try await reader.fetchString(forKey: $0) }) {
            guard let console = Switch(rawValue: text) else {
                throw ValidationError("console must be on or off, not \"\(text)\"")
            }
            self.console = console == .on
        }
        drainDelaySeconds =
            try await Self.value("drainDelay") { try await reader.fetchInt(forKey: $0) } ?? drainDelaySeconds
    }

    /// `127.0.0.1:9090`, `[::1]:9090`.
    private static func place(_ text: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw ValidationError("adminListen must look like 127.0.0.1:9090, not \"\(text)\"") }
        let host = text[..<colon]
        return (host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host), port)
    }

    private mutating func apply(_ options: SettingsOptions, _ flags: ListenOptions?) throws {
        if let value = options.dataFolder { dataFolder = value }
        try silo.apply(options.silo)
        if let flags { try apply(flags) }
        guard (0...65_535).contains(port) else { throw ValidationError("port must be 0 to 65535, not \(port)") }
        guard (0...3600).contains(drainDelaySeconds) else {
            throw ValidationError("drainDelay must be 0 to 3600 seconds, not \(drainDelaySeconds)")
        }
        if let share = accessLog, !(0...1).contains(share) {
            throw ValidationError("accessLog must be 0 to 1, not \(share)")
        }
        _ = try listeners()
        guard gracePeriodSeconds >= 0 else { throw ValidationError("gracePeriod must not be negative") }
        if let origin = corsOrigins.first(where: { !Self.isOrigin($0) }) {
            throw ValidationError("\"\(origin)\" is not an origin; write it like http://localhost:8000, without a path")
        }
    }

    private mutating func apply(_ flags: ListenOptions) throws {
        if let value = flags.listen { listen = value }
        if let value = flags.port { port = value }
        tls.apply(flags.tls)
        if !flags.corsOrigins.isEmpty { corsOrigins = flags.corsOrigins }
        if !flags.repositoryRoots.isEmpty { repositoryRoots = flags.repositoryRoots }
        mirrors.apply(flags.mirrors)
        try limits.apply(flags.limits)
        if let value = flags.logLevel { logLevel = try Self.level(value) }
        if let value = flags.gracePeriod { gracePeriodSeconds = value }
        if let value = flags.adminListen { adminListen = try Self.place(value) }
        if let value = flags.accessLog { accessLog = value }
        if let value = flags.logFormat { logFormat = value }
        if let value = flags.compression { compression = value }
        if let value = flags.drainDelay { drainDelaySeconds = value }
        if let value = flags.console { console = value == .on }
        if !flags.disabledMethods.isEmpty { disabledMethods = flags.disabledMethods }
    }

    /// A missing setting is nil; one of the wrong type is an error that names it, not silently the default.
    static func value<Value>(
        _ key: ConfigKey, _ fetch: (ConfigKey) async throws -> Value?
    ) async throws -> Value? {
        do {
            return try await fetch(key)
        } catch {
            throw ValidationError("setting \(key): \(error)")
        }
    }

    private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text) else {
            throw ValidationError("log level \"\(text)\" is none of \(Logger.Level.allCases.map(\.rawValue))")
        }
        return level
    }

    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            return !rest.isEmpty && !rest.contains("/") && !rest.contains(" ")
        }
        return false
    }
}
