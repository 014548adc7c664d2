import ArgumentParser
import ScmGateway
import SiloRPC

/// `scm-gateway silo check|methods|cells`.
struct SiloCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silo",
        abstract: "Several silos: checks their configuration, lists their services and cells.",
        discussion: """
            Examples:
              scm-gateway silo check --mode control --silo-config silos.json
              scm-gateway silo methods --silo-config silos.json
            """,
        subcommands: [Check.self, Methods.self, Cells.self]
    )

    /// Services, methods, where they run, and what operators have changed.
    struct Methods: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the methods of all silo services: resolver, class, timeout, retries, life, switches."
        )

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let settings = try await Settings.load(settings)
            var changes: [String: SiloSwitches.Setting] = [:]
            if settings.silo.configurationPath != nil {
                changes = try settings.silo.configuration().0.switchSettings()
            }
            let switches = SiloSwitches(changes)
            let rows = SiloContract.methods.map { method -> [Table.Value] in
                [
                    .text(method.key), .text(method.path), .text(method.home.rawValue),
                    .text(method.resolver.map(Self.text) ?? "-"), .text(method.idempotency.rawValue),
                    .text("\(switches.timeout(method))"), .integer(Int64(switches.retries(method))),
                    .text(method.lifecycle.rawValue), .text(Self.state(method, switches)),
                ]
            }
            try Table(
                columns: [
                    "method", "path", "home", "resolver", "idempotency", "timeout", "retries", "lifecycle", "state"
                ],
                rows: rows
            ).show(output)
        }

        private static func text(_ resolver: SiloMethod.Resolver) -> String {
            switch resolver {
            case .organizationID(let field): "organization id \(field)"
            case .organizationSlug(let field): "organization slug \(field)"
            case .cellName(let field): "cell name \(field)"
            case .singleOrganization: "single organization"
            }
        }

        private static func state(_ method: SiloMethod, _ switches: SiloSwitches) -> String {
            if let setting = switches.setting(method), let reason = setting.disabledReason,
                setting.disabledPercent < 100 || !setting.disabledCallers.isEmpty
            {
                let callers = setting.disabledCallers.map(\.description).sorted().joined(separator: ", ")
                return "off for \(setting.disabledPercent) of 100 calls"
                    + (callers.isEmpty ? "" : " of \(callers)") + ": \(reason)"
            }
            do throws(SiloError) {
                try switches.check(method, from: nil)
                return "on"
            } catch {
                return "off: \(error)"
            }
        }
    }
}

/// Every silo method there is.
enum SiloContract {
    static let methods: [SiloMethod] =
        OrganizationMappingServiceMethod.all + APIKeyFeedServiceMethod.all + IntegrationServiceMethod.all
        + InstallationServiceMethod.all + RepositoryDirectoryServiceMethod.all
}
