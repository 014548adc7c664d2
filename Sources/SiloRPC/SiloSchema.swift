import Storage

/// The tables of this module.
public enum SiloSchema {
    /// Goes before the migrations of modules that refer to organizations.
    public static let migrations = [
        Migration(
            "silo-1-organizations-and-keys",
            sql: """
                CREATE TABLE organizations (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    slug TEXT NOT NULL UNIQUE,
                    created_at INTEGER NOT NULL
                );
                CREATE TABLE api_keys (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    organization_id INTEGER NOT NULL REFERENCES organizations (id),
                    hash BLOB NOT NULL UNIQUE,
                    prefix TEXT NOT NULL,
                    name TEXT NOT NULL,
                    scopes TEXT NOT NULL,
                    is_active INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    last_used_at INTEGER
                );
                CREATE INDEX api_keys_by_organization ON api_keys (organization_id, id);
                """
        ),
        mapping,
        Migration(
            "silo-keys-2-lifetimes-and-audit",
            sql: """
                ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
                ALTER TABLE api_keys ADD COLUMN calls_per_minute INTEGER;
                ALTER TABLE api_keys ADD COLUMN signing_key BLOB;
                ALTER TABLE api_keys ADD COLUMN replaces_id INTEGER;
                CREATE TABLE audit_entries (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    at INTEGER NOT NULL,
                    organization_id INTEGER NOT NULL,
                    key_id INTEGER NOT NULL,
                    method TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    peer TEXT NOT NULL,
                    request_id TEXT NOT NULL,
                    outcome TEXT NOT NULL
                );
                CREATE INDEX audit_entries_by_organization ON audit_entries (organization_id, id);
                CREATE INDEX audit_entries_by_time ON audit_entries (at);
                """
        ),
        Migration(
            "silo-answers-1",
            sql: """
                CREATE TABLE silo_answers (
                    source TEXT NOT NULL,
                    method TEXT NOT NULL,
                    call_key TEXT NOT NULL,
                    request_hash BLOB NOT NULL,
                    owner TEXT NOT NULL,
                    state TEXT NOT NULL,
                    answer BLOB,
                    created_at INTEGER NOT NULL,
                    PRIMARY KEY (source, method, call_key)
                );
                CREATE INDEX silo_answers_by_age ON silo_answers (created_at);
                """
        ),
        services,
        Migration(
            "silo-keys-3-audit-results", sql: "ALTER TABLE audit_entries ADD COLUMN result TEXT NOT NULL DEFAULT '';"),
        historyEpochs,
    ]
}
