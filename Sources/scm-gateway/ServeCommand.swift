import ArgumentParser

/// `scm-gateway serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves the repositories of the data folder until SIGINT or SIGTERM.",
        discussion: """
            Every setting is a flag, an environment variable or a key of the JSON file; the first that is given \
            counts, in this order. Example file:

              {"listen": "127.0.0.1", "port": 8080, "dataFolder": "/var/lib/scm-gateway", "gracePeriod": 10,
               "repositoryRoots": ["/srv/git"], "corsOrigins": ["https://app.example"], "logLevel": "notice",
               "maximumMessageByteCount": 4194304, "adminListen": "127.0.0.1:9090", "accessLog": 1.0,
               "logFormat": "json", "disabledMethods": [], "drainDelay": 0,
               "tlsCertificate": "/etc/scm-gateway/server.pem", "tlsKey": "/etc/scm-gateway/server.key"}

            With TLS, new certificate files are used for new connections within ten seconds, or at once on SIGHUP.

            Prints `ready URL` when the port is open; logs go to standard error.
            """
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var listen: ListenOptions

    func run() async throws {
        let server = try GatewayServer(settings: try await Settings.load(settings, listen: listen))
        try await server.run { url in
            StandardOutput.line("ready \(url)")
        }
    }
}
