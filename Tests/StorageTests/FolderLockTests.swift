import Foundation
import Testing

@testable import Storage

@Suite struct FolderLockTests {
    @Test func theSecondIsToldWhoTheFirstIs() throws {
        let top = DatabaseTests.folder()
        let folder = top + "/a/b"
        defer { try? FileManager.default.removeItem(atPath: top) }
        var first: FolderLock? = try FolderLock(folder: folder, owner: "server one")
        #expect(first != nil)
        let error = #expect(throws: StorageError.self) { try FolderLock(folder: folder, owner: "server two") }
        let text = error?.description ?? ""
        #expect(text.contains("the data folder \(folder) is in use by process \(getpid()) (server one, since 20"))
        #expect(text.contains("/server.lock"))
        #expect(try DatabaseTests.mode(folder + "/server.lock") == 0o600)
        first = nil
        let second = try FolderLock(folder: folder, owner: "a longer name of the second server")
        let content = try String(contentsOfFile: folder + "/server.lock", encoding: .utf8)
        #expect(content.contains("the second server") && content.split(separator: "\n").count == 1)
        withExtendedLifetime(second) {}
    }

    @Test func aFolderThatCannotBeIsNamed() throws {
        let file = DatabaseTests.folder()
        #expect(FileManager.default.createFile(atPath: file, contents: Data()))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = #expect(throws: StorageError.self) { try FolderLock(folder: file + "/x", owner: "server") }
        #expect(error?.description.contains(file) == true)
    }
}
