import Storage

/// The tables of this module. They refer to those of `SiloSchema`, which go before them.
public enum ScmGatewaySchema {
    public static let migrations = [
        Migration(
            "scm-1-repositories",
            sql: """
                CREATE TABLE repositories (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id),
                    provider TEXT NOT NULL,
                    external_id TEXT NOT NULL,
                    name TEXT NOT NULL,
                    url TEXT NOT NULL,
                    git_folder TEXT NOT NULL,
                    default_branch TEXT NOT NULL,
                    status INTEGER NOT NULL,
                    config TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    deleted_at INTEGER,
                    UNIQUE (organization_id, provider, external_id)
                );
                CREATE INDEX repositories_by_name ON repositories (organization_id, name);
                CREATE TRIGGER deleted_repositories_go_with_their_organization
                BEFORE DELETE ON organizations
                BEGIN
                    DELETE FROM repositories WHERE organization_id = OLD.id AND deleted_at IS NOT NULL;
                END;
                CREATE TABLE idempotent_requests (
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    method TEXT NOT NULL,
                    request_id TEXT NOT NULL,
                    body_hash BLOB NOT NULL,
                    response BLOB NOT NULL,
                    created_at INTEGER NOT NULL,
                    PRIMARY KEY (organization_id, method, request_id)
                );
                CREATE INDEX idempotent_requests_by_age ON idempotent_requests (created_at);
                """
        ),
        Migration(
            "scm-2-code-mappings",
            // `is_relative` and `brevity` are the order in which mappings are tried, see `MappingRank`.
            sql: """
                CREATE TABLE code_mappings (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    project_id INTEGER NOT NULL,
                    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
                    stack_root TEXT NOT NULL,
                    source_root TEXT NOT NULL,
                    default_branch TEXT NOT NULL,
                    is_automatic INTEGER NOT NULL,
                    is_relative INTEGER NOT NULL,
                    brevity INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    UNIQUE (organization_id, project_id, stack_root)
                );
                CREATE INDEX code_mappings_by_repository ON code_mappings (repository_id);
                CREATE TABLE code_owners (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    code_mapping_id INTEGER NOT NULL UNIQUE REFERENCES code_mappings (id) ON DELETE CASCADE,
                    dialect INTEGER NOT NULL,
                    raw TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL
                );
                """
        ),
        Migration(
            "scm-3-issues",
            // `tracker_*` belong to the built-in tracker; the others are what we know of any tracker's issues.
            sql: """
                CREATE TABLE tracker_issues (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    project TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    key TEXT NOT NULL,
                    title TEXT NOT NULL,
                    description TEXT NOT NULL,
                    state INTEGER NOT NULL,
                    assignee TEXT NOT NULL,
                    labels TEXT NOT NULL,
                    extra TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    UNIQUE (organization_id, project, number),
                    UNIQUE (organization_id, key)
                );
                CREATE INDEX tracker_issues_by_change ON tracker_issues (organization_id, updated_at DESC, key);
                CREATE TABLE tracker_comments (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    issue_id INTEGER NOT NULL REFERENCES tracker_issues (id) ON DELETE CASCADE,
                    body TEXT NOT NULL,
                    author TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL
                );
                CREATE INDEX tracker_comments_by_issue ON tracker_comments (issue_id, created_at, id);
                CREATE TABLE external_issues (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    integration_id INTEGER NOT NULL,
                    key TEXT NOT NULL,
                    display_name TEXT NOT NULL,
                    title TEXT NOT NULL,
                    description TEXT NOT NULL,
                    web_url TEXT NOT NULL,
                    state INTEGER NOT NULL,
                    assignee TEXT NOT NULL,
                    labels TEXT NOT NULL,
                    metadata TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    UNIQUE (organization_id, integration_id, key)
                );
                CREATE TABLE issue_groups (
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    group_id INTEGER NOT NULL,
                    status INTEGER NOT NULL,
                    resolution TEXT NOT NULL,
                    assignee TEXT NOT NULL,
                    updated_at INTEGER NOT NULL,
                    PRIMARY KEY (organization_id, group_id)
                );
                CREATE TABLE issue_links (
                    organization_id INTEGER NOT NULL,
                    group_id INTEGER NOT NULL,
                    external_issue_id INTEGER NOT NULL REFERENCES external_issues (id) ON DELETE CASCADE,
                    created_at INTEGER NOT NULL,
                    PRIMARY KEY (organization_id, group_id, external_issue_id),
                    FOREIGN KEY (organization_id, group_id) REFERENCES issue_groups (organization_id, group_id)
                        ON DELETE CASCADE
                );
                CREATE INDEX issue_links_by_issue ON issue_links (external_issue_id, group_id);
                """
        ),
        Migration(
            "scm-4-mirrors",
            // 0 in `mirror_state`: no mirror. `content` is a StatusCheck without its id.
            sql: """
                ALTER TABLE repositories ADD COLUMN mirror_state INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE repositories ADD COLUMN mirror_fetched_at INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE repositories ADD COLUMN mirror_error BLOB NOT NULL DEFAULT x'';
                ALTER TABLE repositories ADD COLUMN mirror_size INTEGER NOT NULL DEFAULT 0;
                CREATE TABLE status_checks (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
                    sha TEXT NOT NULL,
                    name TEXT NOT NULL,
                    content BLOB NOT NULL,
                    UNIQUE (repository_id, sha, name)
                );
                """
        ),
        Migration(
            "scm-5-repository-versions",
            // Counts changes, whoever makes them, so that what is kept of an organization's rows can be checked.
            sql: """
                CREATE TABLE repository_versions (
                    organization_id INTEGER PRIMARY KEY NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    version INTEGER NOT NULL
                );
                CREATE TRIGGER repositories_are_counted_when_added AFTER INSERT ON repositories
                BEGIN
                    INSERT INTO repository_versions (organization_id, version) VALUES (NEW.organization_id, 1)
                    ON CONFLICT (organization_id) DO UPDATE SET version = version + 1;
                END;
                CREATE TRIGGER repositories_are_counted_when_changed AFTER UPDATE ON repositories
                BEGIN
                    INSERT INTO repository_versions (organization_id, version) VALUES (NEW.organization_id, 1)
                    ON CONFLICT (organization_id) DO UPDATE SET version = version + 1;
                END;
                CREATE TRIGGER repositories_are_counted_when_deleted AFTER DELETE ON repositories
                BEGIN
                    INSERT INTO repository_versions (organization_id, version) VALUES (OLD.organization_id, 1)
                    ON CONFLICT (organization_id) DO UPDATE SET version = version + 1;
                END;
                """
        ),
        Migration(
            "scm-6-borrowed-objects",
            // 0 for folders that a caller registered: they held all their objects themselves.
            sql: "ALTER TABLE repositories ADD COLUMN may_borrow INTEGER NOT NULL DEFAULT 1;"
        ),
        Migration(
            "scm-7-issue-settings",
            // `content` is an IssueSettings. In `mirror_interval`, seconds: -1 follows the server, 0 is never.
            sql: """
                CREATE TABLE issue_settings (
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    integration_id INTEGER NOT NULL,
                    content BLOB NOT NULL,
                    updated_at INTEGER NOT NULL,
                    PRIMARY KEY (organization_id, integration_id)
                );
                ALTER TABLE repositories ADD COLUMN mirror_interval INTEGER NOT NULL DEFAULT -1;
                ALTER TABLE repositories ADD COLUMN mirror_next_at INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE repositories ADD COLUMN mirror_failures INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE repositories ADD COLUMN mirror_maintained_at INTEGER NOT NULL DEFAULT 0;
                CREATE INDEX repositories_by_next_fetch ON repositories (mirror_next_at) WHERE mirror_state > 0;
                """
        ),
        Migration(
            "scm-8-code-owners-follow",
            // The commit at which the repository's file was last looked at; empty for a text that a caller gave.
            sql: """
                ALTER TABLE code_owners ADD COLUMN source_commit TEXT NOT NULL DEFAULT '';
                ALTER TABLE code_owners ADD COLUMN followed_at INTEGER NOT NULL DEFAULT 0;
                """
        ),
        Migration(
            "scm-9-issue-defaults",
            // What the last issue of a project was made with; `extra` is a JSON object.
            sql: """
                CREATE TABLE issue_defaults (
                    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
                    integration_id INTEGER NOT NULL,
                    project_id INTEGER NOT NULL,
                    container TEXT NOT NULL,
                    extra TEXT NOT NULL,
                    used_at INTEGER NOT NULL,
                    PRIMARY KEY (organization_id, integration_id, project_id)
                );
                CREATE INDEX issue_defaults_by_use ON issue_defaults (organization_id, integration_id, used_at);
                """
        ),
    ]
}
