import ArgumentParser
import HTTPTransport
import SiloRPC

extension SiloCommand {
    /// `scm-gateway silo check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks the configuration, and asks the other silos: address, keys, clock, version.",
            discussion: """
                Run it beside each silo, with that silo's settings. Prints one line for each thing that was looked at, \
                and ends with 1 when something is wrong. A cell asks control, control asks every cell; --offline asks \
                nobody.
                """
        )

        @Flag(help: "Look at the configuration only.")
        var offline = false

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            let settings = try await Settings.load(settings)
            guard let address = try settings.silo.address() else {
                return StandardOutput.line("ok    a monolith has no other silos")
            }
            let (configuration, folder) = try settings.silo.configuration()
            var report = CheckReport()
            do {
                let directory = try CellDirectory(configuration)
                try directory.checkPlace(of: address)
                report.good("\(directory.cells.count) cells, \(directory.localities.count) localities")
                let keyring = try SiloKeyring(
                    address: address, keys: try configuration.keys(of: address, folder: folder))
                _ = try configuration.verifierConfiguration(folder: folder)
                report.good("\(address) verifies with \(keyring.verifyingIDs.joined(separator: ", "))")
                report.good("\(try configuration.switchSettings().count) switches")
                for text in configuration.loose(directory, methods: SiloContract.methods) { report.bad(text) }
                let others = address == .control ? directory.cells.map { SiloAddress.cell($0.name) } : [.control]
                for other in others { report.look(at: other, directory, keyring) }
                try directory.checkAddresses()
                if !offline {
                    let client = SiloHTTPClient(
                        keyring: keyring, directory: directory, configuration: try web(settings))
                    for other in others { await report.ask(other, client, keyring) }
                    await client.close()
                }
            } catch let error as ValidationError {
                throw error
            } catch {
                report.bad("\(error)")
            }
            if report.isBad { throw ExitCode(1) }
        }

        private func web(_ settings: Settings) throws -> SiloHTTPClient.Configuration {
            var configuration = SiloHTTPClient.Configuration()
            configuration.timeout = .seconds(5)
            if let tls = settings.tls.clientConfiguration() { configuration.tls = tls }
            return configuration
        }
    }
}

/// Lines of a check.
private struct CheckReport {
    var isBad = false

    func good(_ text: String) { StandardOutput.line("ok    \(text)") }

    mutating func bad(_ text: String) {
        isBad = true
        StandardOutput.line("WRONG \(text)")
    }

    /// What can be seen from here.
    mutating func look(at other: SiloAddress, _ directory: CellDirectory, _ keyring: SiloKeyring) {
        if let target = try? ConnectionTarget(directory.address(of: other) ?? "") {
            good("\(other) is at \(target.authority)")
        }
        if keyring.signingIDs[other] == nil { bad("there is no key for calls to \(other)") }
        if !keyring.sources.contains(other) { bad("there is no key for calls from \(other)") }
    }

    /// What it says of itself.
    mutating func ask(_ other: SiloAddress, _ client: SiloHTTPClient, _ keyring: SiloKeyring) async {
        do {
            let seen = try await client.observe(other)
            guard seen.status.silo == other.description else {
                return bad("the address of \(other) leads to \(seen.status.silo)")
            }
            let version = ScmGatewayCommand.configuration.version
            seen.status.version == version
                ? good(
                    "\(other) answers in \(seen.roundTrip), version \(version), \(seen.status.methods.count) methods")
                : bad("\(other) has version \(seen.status.version), this is \(version): fine during a deployment only")
            let limit = Duration.seconds(5)
            let offset = seen.clockOffset
            offset < limit && offset > .zero - limit
                ? good("\(other)'s clock is off by \(offset)")
                : bad("\(other)'s clock is off by \(offset); calls are refused from 60 s on")
            if let key = keyring.signingIDs[other], !seen.status.verifyingKeys.contains(key) {
                bad("\(other) does not verify \(key), which is the key for calls to it")
            }
        } catch {
            bad("\(other): \(error)")
        }
    }
}
