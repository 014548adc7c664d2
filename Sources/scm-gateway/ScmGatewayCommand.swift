import ArgumentParser
import Operations

/// The command line: wiring and words only; what it starts lives in the modules.
@main
struct ScmGatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scm-gateway",
        abstract: "Serves git repositories to gRPC and gRPC-Web clients.",
        discussion: """
            First steps:
              scm-gateway quickstart ~/my-repository      one command: key, repository, server
              scm-gateway call ListRepositories           ask the server (see `scm-gateway call --help`)

            The same, step by step:
              scm-gateway org add acme                    prints the organization's ID
              scm-gateway key add --organization 1        prints the key, once
              scm-gateway repo add ~/my-repository --organization 1
              scm-gateway serve
            """,
        version: "0.1.0",
        subcommands: [
            QuickstartCommand.self, ServeCommand.self, CallCommand.self, OrganizationCommand.self, KeyCommand.self,
            RepositoryCommand.self, AuditCommand.self, AdminCommand.self, SiloCommand.self,
        ]
    )

    static func main() async {
        ProcessMemory.limitArenas()
        await main(nil)
    }
}
