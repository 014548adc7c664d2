import NIOCore
import Storage
import Testing

@testable import SiloRPC

/// Silo.md 10.5: cells, localities, resolvers.
@Suite(.timeLimit(.minutes(5))) struct DirectoryTests {
    static let twoCells = """
        {"controlAddress": "http://control", "publicUrl": "https://{locality}.example.com", "fallbackCell": "us",
         "cells": [{"name": "us", "snowflakeId": 1, "address": "http://us", "gatewayAddress": "http://us-gateway"},
                   {"name": "eu", "snowflakeId": 2, "address": "http://eu", "hidden": true}],
         "localities": [{"name": "america", "cells": ["us"]},
                        {"name": "europe", "cells": ["eu"], "category": "CATEGORY_SINGLE_TENANT", "hidden": true,
                         "hiddenAtSignUp": true}]}
        """

    private func directory(_ json: String) throws -> CellDirectory {
        try CellDirectory(try SiloConfiguration(json: json))
    }

    private func refusal(_ json: String) -> String {
        do {
            _ = try directory(json)
            return "none"
        } catch SiloError.configuration(let text) { return text } catch { return "\(error)" }
    }

    @Test("cells are parsed; an unknown name is an error that lists those there are")
    func cells() throws {
        let directory = try directory(Self.twoCells)
        #expect(directory.cells.map(\.name.description) == ["us", "eu"])
        let us = try directory.cell(named: "us")
        #expect(
            (us.snowflakeID, us.address, us.gatewayAddress, us.isVisible) == (1, "http://us", "http://us-gateway", true)
        )
        #expect(try directory.cell(named: "eu").isVisible == false)
        #expect(directory.address(of: .control) == "http://control")
        #expect(throws: SiloError.cellResolution("there is no cell \"mars\"; there are us")) {
            try directory.cell(named: "mars")
        }
    }

    @Test("without cells there is one, of the fallback's name, with snowflake id 0 and a locality of its own")
    func monolith() throws {
        let directory = try directory(#"{"publicUrl": "http://localhost:8080"}"#)
        #expect(directory.cells == [Cell(name: try CellName("monolith"), address: "http://localhost:8080")])
        #expect(directory.localities.map(\.name) == ["monolith"])
        #expect(directory.cells[0].snowflakeID == 0)
        #expect(try Silo(mode: .monolith, directory: directory).localCell().description == "monolith")
        #expect(try directory.url(path: "/a", cell: nil) == "http://localhost:8080/a")
    }

    @Test("the old names of settings are understood")
    func oldNames() throws {
        let directory = try directory(
            """
            {"regions": [{"name": "us"}], "monolithRegion": "us",
             "localities": [{"name": "america", "regions": ["us"]}]}
            """)
        #expect(directory.cells.map(\.name.description) == ["us"])
        #expect(directory.isFallback(try CellName("us")))
        #expect(try directory.locality(of: CellName("us")).name == "america")
        #expect(try SiloMode(setting: "region") == .cell)
        #expect(try SiloMode(setting: nil) == .monolith)
        #expect(try SiloMode(setting: "") == .monolith)
        #expect(try SiloMode(setting: "control") == .control)
        #expect(throws: SiloError.self) { try SiloMode(setting: "Control") }
    }

    @Test("a configuration that does not fit together is refused, with what to do", arguments: [
        (#"{"cells": [{"name": "us"}]}"#, "fallbackCell: there is no cell \"monolith\"; name one of us"),
        (#"{"fallbackCell": "a b"}"#, "fallbackCell: \"a b\" is not the name of a cell"),
        (#"{"cells": [{"name": ""}]}"#, "cells: \"\" is not the name of a cell"),
        (#"{"fallbackCell": "a", "cells": [{"name": "a"}, {"name": "a"}]}"#, "cells: there are two cells \"a\""),
        (
            #"{"fallbackCell": "a", "cells": [{"name": "a", "snowflakeId": 1024}]}"#,
            "cells: a: snowflakeId 1024 is not within 0 to 1023"
        ),
        (
            #"{"fallbackCell": "a", "cells": [{"name": "a"}, {"name": "b"}]}"#,
            "cells: b: snowflakeId 0 is another cell's already"
        ),
        (
                #"{"fallbackCell": "a", "cells": [{"name": "a"}], "localities": [{"name": "x", "cells": ["a"]}, "#
                    + #"{"name": "y", "cells": ["a"]}]}"#,
            "localities: the cell \"a\" is in x and in y; a cell has one"
        ),
        (
            #"{"fallbackCell": "a", "cells": [{"name": "a"}], "localities": [{"name": "x", "cells": ["b"]}]}"#,
            "localities: x has a cell \"b\" that is not among the cells"
        ),
        (
                #"{"fallbackCell": "a", "cells": [{"name": "a"}, {"name": "b", "snowflakeId": 1}], "localities": "#
                    + #"[{"name": "x", "cells": ["a"]}]}"#,
            "localities: no locality has the cell \"b\""
        ),
        (
                #"{"fallbackCell": "a", "cells": [{"name": "a"}], "localities": [{"name": "x", "cells": ["a"], "#
                    + #""newOrganizationCell": "b"}]}"#,
            "localities: x makes new organizations in \"b\", which is not one of its cells"
        ),
        (
            #"{"fallbackCell": "a", "cells": [{"name": "a"}], "localities": [{"name": "x", "cells": []}]}"#,
            "localities: x: newOrganizationCell is missing"
        ),
        (
                #"{"fallbackCell": "a", "cells": [{"name": "a", "address": "http://x:1"}, "#
                    + #"{"name": "b", "snowflakeId": 1, "address": "HTTP://x:1/"}]}"#,
            "cells: b: HTTP://x:1/ is the address of cells: a already; each silo has its own"
        ),
        (
                #"{"controlAddress": "http://x", "fallbackCell": "a", "#
                    + #""cells": [{"name": "a", "address": "http://x"}]}"#,
            "cells: a: http://x is the address of controlAddress already"
        ),
        (
            #"{"fallbackCell": "a", "cells": [{"name": "a"}], "regions": [{"name": "b"}]}"#,
            "cells and regions, its old name, are both there and differ; remove regions"
        ),
        (
            #"{"fallbackCell": "a", "monolithRegion": "b", "cells": [{"name": "a"}]}"#,
            "fallbackCell and monolithRegion, its old name, are both there and differ; remove monolithRegion"
        ),
        (
                #"{"fallbackCell": "a", "cells": [{"name": "a"}], "localities": [{"name": "x", "cells": ["a"], "#
                    + #""regions": ["b"]}]}"#,
            "localities: x: cells and regions, its old name, are both there and differ; remove regions"
        ),
        (#"{"cels": []}"#, "the silo configuration cannot be read"),
        ("{", "the silo configuration cannot be read"),
    ])
    func refusals(_ json: String, _ text: String) {
        #expect(refusal(json).contains(text), "\(refusal(json))")
    }

    @Test("an old name beside the new one is fine when both say the same")
    func bothNames() throws {
        let directory = try directory(
            #"{"fallbackCell": "a", "monolithRegion": "a", "cells": [{"name": "a"}], "regions": [{"name": "a"}]}"#)
        #expect(directory.cells.map(\.name.description) == ["a"])
    }

    @Test("one of several silos needs everybody's address, as a base URL", arguments: [
        (nil, "http://us", "controlAddress is missing; it is a base URL such as https://control.internal:8443"),
        ("http://c", "", "cells: us: address is missing; it is a base URL such as https://us.internal:8443"),
        ("http://c", "us:8443", "cells: us: address: \"us:8443\" is not a base URL such as https://us.internal:8443"),
        ("http://c", "http://us/path", "cells: us: address: \"http://us/path\": the host is missing or holds"),
        ("ftp://c", "http://us", "controlAddress: \"ftp://c\" is not a base URL"),
        ("http://c", "https://us:8443", nil),
    ] as [(String?, String, String?)])
    func addresses(_ control: String?, _ address: String, _ problem: String?) throws {
        let us = try CellName("us")
        let directory = try CellDirectory(
            cells: [Cell(name: us, address: address)], fallbackCell: us, controlAddress: control)
        var found: String?
        do throws(SiloError) { try directory.checkAddresses() } catch { found = error.description }
        #expect((found == nil) == (problem == nil) && found?.contains(problem ?? "") != false, "\(found ?? "nothing")")
    }

    @Test("what names something that there is not is told")
    func loose() throws {
        let configuration = try SiloConfiguration(
            json: """
                {"fallbackCell": "us", "cells": [{"name": "us"}],
                 "keys": [{"id": "k", "source": "control", "audience": "cell:mars"},
                          {"id": "l", "source": "cell:us", "audience": "control"}],
                 "identities": [{"silo": "cell:venus", "name": "x"}, {"silo": "cell:us", "name": "y"}],
                 "switches": [{"method": "organization_mapping.Gett"}, {"method": "organization_mapping"},
                              {"method": "organization_mapping.Get", "disabledCallers": ["cell:moon", "cell:us"]}]}
                """)
        let found = configuration.loose(try CellDirectory(configuration), methods: OrganizationMappingServiceMethod.all)
        #expect(
            found == [
                "keys: k: there is no cell:mars", "identities: there is no cell:venus",
                "switches: there is no \"organization_mapping.Gett\"; `scm-gateway silo methods` lists all",
                "switches: organization_mapping.Get: disabledCallers: there is no cell:moon",
            ])
        let twice = try SiloConfiguration(
            json: #"{"identities": [{"silo": "control", "name": "a"}, {"silo": "control", "name": "b"}]}"#)
        #expect(throws: SiloError.configuration("identities: control is there twice")) {
            try twice.verifierConfiguration(folder: "/")
        }
    }

    @Test("visibility and category choose the names of lists")
    func lists() throws {
        let directory = try directory(Self.twoCells)
        #expect(directory.cellNames().map(\.description) == ["us", "eu"])
        #expect(directory.cellNames(visibleOnly: true).map(\.description) == ["us"])
        #expect(directory.multiTenantCellNames == ["us"])
        #expect(directory.signUpLocalityNames == ["america"])
        #expect(directory.localityNames() == ["america"])
        #expect(directory.localityNames(category: .singleTenant) == [])
    }

    @Test("localities: by name, of a cell, for new organizations, as subdomain, in public URLs")
    func localities() throws {
        let directory = try directory(Self.twoCells)
        let eu = try CellName("eu")
        #expect(try directory.locality(named: "europe").category == .singleTenant)
        #expect(throws: SiloError.cellResolution("there is no locality \"asia\"; there are america")) {
            try directory.locality(named: "asia")
        }
        #expect(try directory.locality(of: eu).name == "europe")
        #expect(throws: SiloError.self) { try directory.locality(of: CellName("mars")) }
        #expect(try directory.newOrganizationCell(locality: "europe").name == eu)
        #expect(throws: SiloError.self) { try directory.newOrganizationCell(locality: "asia") }
        #expect(directory.isLocality(subdomain: "europe"))
        #expect(!directory.isLocality(subdomain: "eu"))
        #expect(try directory.url(path: "/o/", cell: eu) == "https://europe.example.com/o/")
    }

    @Test("the local cell: the setting's in a cell, none in control")
    func localCell() throws {
        let directory = try directory(Self.twoCells)
        let caller = SiloCaller(transport: NoTransport())
        func silo(_ mode: SiloMode, _ name: String?) throws -> Silo {
            try Silo(
                mode: mode, cell: try name.map { try CellName($0) }, directory: directory,
                organizations: NoOrganizations(),
                caller: caller)
        }
        #expect(try silo(.cell, "eu").localCell().description == "eu")
        #expect(throws: SiloError.cellContext("control has no local cell")) { try silo(.control, nil).localCell() }
        #expect(throws: SiloError.self) { try silo(.cell, nil) }
        #expect(throws: SiloError.self) { try silo(.cell, "mars") }
    }

    @Test("the cell of an organization: by id, by slug; a removed row and an unknown cell are errors")
    func cellForOrganization() async throws {
        try await SiloTests.withDatabase { database in
            let directory = try directory(Self.twoCells)
            let store = OrganizationMappingStore(database, directory: directory)
            let one = try await store.create(slug: "one", cellName: "us")
            let two = try await store.create(slug: "two", cellName: "eu")
            #expect(try await store.cell(forOrganization: "\(one.organizationID)").name.description == "us")
            #expect(try await store.cell(forOrganization: "two").name.description == "eu")
            #expect(
                try await store.cells(ofOrganizations: [one.organizationID, two.organizationID]).map(\.description)
                    == ["eu", "us"])
            #expect(try await store.cells(ofOrganizations: []).isEmpty)
            try await store.remove(organizationID: one.organizationID)
            await #expect(throws: SiloError.mappingNotFound("no cell has the organization \"one\"")) {
                try await store.cell(forOrganization: "one")
            }
            try await database.write { _ = try $0.execute("UPDATE organization_mappings SET cell_name = 'gone'") }
            await #expect(throws: SiloError.cellResolution("there is no cell \"gone\"; there are us")) {
                try await store.cell(forOrganization: "two")
            }
            let gone = await #expect(throws: SiloError.self) { try await store.remove(organizationID: 99) }
            #expect(gone?.isNotFound == true)
        }
    }

    @Test("names and addresses", arguments: ["us", "a-1", String(repeating: "x", count: 48)])
    func names(_ name: String) throws {
        let address = SiloAddress.cell(try CellName(name))
        #expect(SiloAddress(address.description) == address)
        #expect(SiloAddress("control") == .control)
        for bad in ["", "cell:", "cell:A", "Control", "cells:us", "cell:" + String(repeating: "x", count: 49)] {
            #expect(SiloAddress(bad) == nil)
        }
    }
}

private struct NoTransport: SiloTransport {
    let source = SiloAddress.control
    func send(_ call: SiloCall) async throws -> ByteBuffer { ByteBuffer() }
}

private struct NoOrganizations: OrganizationCells {
    func cell(of organization: OrganizationReference) async throws -> String? { nil }
    func refreshedCell(of organization: OrganizationReference) async throws -> String? { nil }
    func someCells() async throws -> [String] { [] }
}
