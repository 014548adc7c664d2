import Foundation
import Storage

/// A repository as it is stored.
public struct StoredRepository: Sendable, Hashable {
    /// Positive.
    public let id: Int64
    public let organizationID: Int64
    /// `integrations:` and the provider's slug.
    let provider: String
    /// For local git the absolute folder, symbolic links resolved: the work tree's root, or the bare repository; for a
    /// mirror the remote's address.
    let externalID: String
    /// Name for people.
    public let name: String
    let url: String
    /// What `GIT_DIR` is set to; fixed when the repository is added, so that a `.git` file that changes later leads
    /// nowhere else.
    let gitFolder: String
    /// Empty without a commit.
    let defaultBranch: String
    let status: Status
    let config: [String: String]
    /// Milliseconds since 1970 UTC.
    public let createdAt: Int64
    /// Milliseconds since 1970 UTC.
    public let updatedAt: Int64
    /// Whether objects may lie in another repository (`objects/info/alternates`): so it is for those that the operator
    /// registered.
    let mayBorrowObjects: Bool
    /// nil when the repository is no copy of ours.
    let mirror: StoredMirror?

    /// The repository's folder, or the address that it is a copy of.
    public var path: String { externalID }

    /// Slug of the provider that this module serves.
    static let localGit = "integrations:local_git"

    /// The numbers of `RepositoryStatus`, and one that is never shown: such rows are invisible.
    enum Status: Int64, Sendable {
        case active = 1
        case disabled = 2
        case hidden = 3
        case pendingDeletion = 4
    }
}

extension StoredRepository {
    init(_ row: SQLRow) throws {
        self.init(
            id: try row.integer("id"),
            organizationID: try row.integer("organization_id"),
            provider: try row.text("provider"),
            externalID: try row.text("external_id"),
            name: try row.text("name"),
            url: try row.text("url"),
            gitFolder: try row.text("git_folder"),
            defaultBranch: try row.text("default_branch"),
            // A status of a later version is not one to serve.
            status: Status(rawValue: try row.integer("status")) ?? .disabled,
            config: ConfigText.decode(try row.text("config")),
            createdAt: try row.integer("created_at"),
            updatedAt: try row.integer("updated_at"),
            mayBorrowObjects: try row.boolean("may_borrow"),
            mirror: try StoredMirror(row)
        )
    }
}

/// The config column: a JSON object of strings, keys sorted.
enum ConfigText {
    static func encode(_ config: [String: String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(config) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    static func decode(_ text: String) -> [String: String] {
        // Most have none, and a decoder is dear.
        text == "{}" ? [:] : (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
    }
}
