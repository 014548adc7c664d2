import Testing

@testable import ScmGateway

/// What git is told when it connects: where to, how it knows the other side, and nothing of whoever runs the server.
@Suite(.timeLimit(.minutes(5))) struct TransferCommandTests {
    private func settings(
        _ address: String, _ addresses: [String], _ configuration: MirrorConfiguration = .init()
    ) throws -> [String: String] {
        let variables = TransferCommand.look(try RemoteAddress(address)).environment(configuration, addresses)
        let count = try #require(Int(variables["GIT_CONFIG_COUNT"] ?? ""))
        return Dictionary(
            uniqueKeysWithValues: (0..<count).map {
                (variables["GIT_CONFIG_KEY_\($0)"] ?? "", variables["GIT_CONFIG_VALUE_\($0)"] ?? "")
            }
        )
    }

    private func ssh(_ address: String, _ configuration: MirrorConfiguration = .init()) throws -> String {
        let command = TransferCommand.look(try RemoteAddress(address))
        return try #require(command.environment(configuration, ["192.0.2.7", "192.0.2.8"])["GIT_SSH_COMMAND"])
    }

    /// A name server that says something else to git than it said to us changes nothing: git does not ask.
    @Test func theAddressesThatWereVettedAreTheOnlyOnes() throws {
        let pinned = try settings("https://git.example.org:8443/x", ["192.0.2.7", "2001:db8::7"])
        #expect(pinned["http.curloptResolve"] == "git.example.org:8443:192.0.2.7,[2001:db8::7]")
        #expect(pinned["http.followRedirects"] == "false" && pinned["http.proxy"] == "")
        #expect(pinned["credential.helper"] == "")
        #expect(try settings("https://192.0.2.7/x", ["192.0.2.7"])["http.curloptResolve"] == nil)
        #expect(try ssh("ssh://git@git.example.org/x").contains("-o 'HostName=192.0.2.7'"))
    }

    @Test func anAuthorizationGoesToItsHostAndPort() throws {
        var configuration = MirrorConfiguration()
        configuration.authorization = ["git.example.org": "Basic x"]
        let field = "Authorization: Basic x"
        for place in ["git.example.org", "git.example.org:8443"] {
            let found = try settings("https://\(place)/x", [], configuration)
            #expect(found["http.https://\(place)/.extraHeader"] == field)
        }
        for address in ["http://git.example.org/x", "https://example.org/x", "https://x.git.example.org/x"] {
            #expect(!(try settings(address, [], configuration).values.contains(field)), "\(address)")
        }
        let command = TransferCommand.clone(try RemoteAddress("https://git.example.org/x"), folder: "/f")
        #expect(!command.arguments.joined().contains("Basic"))
    }

    @Test func sshKnowsWhatItIsGivenAndNothingElse() throws {
        let bare = try ssh("ssh://git.example.org/x")
        for option in [
            "StrictHostKeyChecking=yes", "IdentityFile=none", "IdentitiesOnly=yes", "IdentityAgent=none",
            "BatchMode=yes",
            "UserKnownHostsFile=\"/dev/null\"", "GlobalKnownHostsFile=/dev/null", "HostKeyAlias=git.example.org",
            "ProxyCommand=none",
        ] {
            #expect(bare.contains("-o '\(option)'"), "\(option)")
        }
        #expect(try ssh("ssh://git.example.org:2222/x").contains("-o 'HostKeyAlias=[git.example.org]:2222'"))
        var configuration = MirrorConfiguration()
        configuration.sshKeyFile = "/a b/it's \"100%\""
        #expect(try ssh("ssh://h/x", configuration).contains(#"-o 'IdentityFile="/a b/it'\''s \"100%%\""'"#))
    }
}
