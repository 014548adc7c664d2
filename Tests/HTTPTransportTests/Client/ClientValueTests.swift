import NIOCore
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct AddressPolicyTests {
    @Test("SSRF: addresses that are not public are refused", arguments: [
            "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
            "172.31.255.255",
        "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::", "::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1",
        "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    ])
    func refused(text: String) throws {
        let address = try SocketAddress(ipAddress: text, port: 443)
        let error = #expect(throws: AddressRefused.self) { try AddressPolicy().check(address) }
        #expect(error?.description.contains("AddressPolicy.allowed") == true)
    }

    @Test(
        "public addresses pass",
        arguments: ["8.8.8.8", "172.32.0.1", "100.128.0.1", "193.0.0.1", "2606:4700::1", "2a00::1"])
    func passes(text: String) throws { try AddressPolicy().check(SocketAddress(ipAddress: text, port: 443)) }

    @Test("an allow-listed block passes, its neighbours do not")
    func allowed() throws {
        let policy = AddressPolicy(allowing: [AddressRange("10.1.0.0/16"), AddressRange("fd00::/9")].compactMap { $0 })
        try policy.check(SocketAddress(ipAddress: "10.1.255.1", port: 1))
        try policy.check(SocketAddress(ipAddress: "fd7f::1", port: 1))
        for text in ["10.2.0.1", "fd80::1"] {
            #expect(throws: AddressRefused.self) { try policy.check(SocketAddress(ipAddress: text, port: 1)) }
        }
        #expect(throws: AddressRefused.self) { try policy.check(SocketAddress(unixDomainSocketPath: "/x")) }
    }

    @Test("blocks that are none", arguments: ["", "10.0.0.0/33", "10.0.0.0/-1", "10/8/1", "x/8", "10.0.0.0/"])
    func badRange(text: String) { #expect(AddressRange(text) == nil) }
}

@Suite(.timeLimit(.minutes(5))) struct HTTPURLTests {
    @Test("URLs and their parts", arguments: [
            ("http://Host", "http://host/"), ("https://h:443/a?b#c", "https://h/a?b"),
            ("http://h:8080?q", "http://h:8080/?q"),
        ("HTTP://[::1]:80/%20", "http://[::1]/%20"), ("https://h:80/", "https://h:80/"),
    ])
    func parts(text: String, normal: String) throws { #expect(try HTTPURL(text).description == normal) }

    @Test("what is no http URL is refused", arguments: [
            "", "host", "ftp://h/", "http://", "http:///a", "http://u:p@h/", "http://h:0/", "http://h:65536/",
            "http://h/a b", "http://h/%2",
        "http://h/ü", "http://h\\x/", "http://h/\r\nx: y", "http://h:80:81/", "http://[::1/",
    ])
    func refused(text: String) { #expect(throws: ConnectionTargetError.self) { try HTTPURL(text) } }

    @Test("references", arguments: [
        ("/x?y", "http://h:81/x?y"), ("x", "http://h:81/a/x"), ("?z", "http://h:81/a/b?z"), ("//o/p", "http://o/p"),
            ("https://o", "https://o/"), ("", "http://h:81/a/b?q"), ("x:/y/z:1", "-"), ("../x", "-"), ("/a/../b", "-"),
            ("javascript:1", "-")
    ])
    func references(reference: String, result: String) throws {
        let base = try HTTPURL("http://h:81/a/b?q")
        #expect((try? base.resolving(reference).description) ?? "-" == result)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ClientTimerTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func timers(_ configure: (inout HTTPClientConfiguration) -> Void) -> ClientTimers {
        var configuration = HTTPClientConfiguration()
        configuration.idleTimeout = nil
        configure(&configuration)
        return ClientTimers(configuration, now: Self.start)
    }

    @Test("A8: silence, PING, silence, end")
    func keepalive() {
        var timers = timers { $0.keepalive = HTTPKeepalive(interval: .seconds(10), timeout: .seconds(5)) }
        #expect(timers.check(now: Self.start + .seconds(9), activeCount: 1) == .none)
        #expect(timers.check(now: Self.start + .seconds(10), activeCount: 1) == .ping)
        #expect(timers.check(now: Self.start + .seconds(14), activeCount: 1) == .none)
        guard case .close = timers.check(now: Self.start + .seconds(15), activeCount: 1) else {
            Issue.record("still open")
            return
        }
    }

    @Test("A8: anything that is received counts as an answer; no pings without exchanges unless asked")
    func answered() {
        var timers = timers { $0.keepalive = HTTPKeepalive(interval: .seconds(10), timeout: .seconds(5)) }
        #expect(timers.check(now: Self.start + .seconds(20), activeCount: 0) == .none)
        #expect(timers.check(now: Self.start + .seconds(20), activeCount: 1) == .ping)
        timers.didRead(now: Self.start + .seconds(21))
        #expect(timers.check(now: Self.start + .seconds(26), activeCount: 1) == .none)
        #expect(timers.check(now: Self.start + .seconds(31), activeCount: 1) == .ping)
    }

    @Test("idle and age end a connection once")
    func endings() {
        var idle = timers { $0.idleTimeout = .seconds(10) }
        #expect(idle.check(now: Self.start + .seconds(9), activeCount: 1) == .none)
        #expect(idle.check(now: Self.start + .seconds(18), activeCount: 0) == .none)
        #expect(idle.check(now: Self.start + .seconds(19), activeCount: 0) == .drain(idle: true))
        #expect(idle.check(now: Self.start + .seconds(40), activeCount: 0) == .none)
        var old = timers { $0.maximumConnectionAge = .seconds(10) }
        #expect(old.check(now: Self.start + .seconds(10), activeCount: 5) == .drain(idle: false))
    }

    @Test("connection backoff: 1 s, 1.6, at most 120 s, 20 % either way")
    func backoff() {
        let backoff = ConnectionBackoff()
        #expect(backoff.delay(afterFailures: 1, random: 0) == .seconds(1))
        #expect(abs(backoff.delay(afterFailures: 2, random: 0) / .seconds(1) - 1.6) < 1e-9)
        #expect(abs(backoff.delay(afterFailures: 1, random: 1) / .seconds(1) - 1.2) < 1e-9)
        #expect(abs(backoff.delay(afterFailures: 1, random: -1) / .seconds(1) - 0.8) < 1e-9)
        #expect(backoff.delay(afterFailures: 1_000_000, random: 0) == .seconds(120))
    }

    @Test("families of addresses take turns")
    func interleaved() throws {
        let list = try ["::1", "::2", "::3", "1.1.1.1", "1.1.1.2"].map { try SocketAddress(ipAddress: $0, port: 1) }
        let order = AddressRace.interleaved(list).compactMap(\.ipAddress)
        #expect(order == ["::1", "1.1.1.1", "::2", "1.1.1.2", "::3"])
    }
}
