import Storage

extension SiloSchema {
    /// Control's table of organizations and cells, and the replica that a cell has of it.
    static let mapping = Migration(
        "silo-2-organization-mapping",
        sql: """
            CREATE TABLE silo_histories (
                name TEXT PRIMARY KEY NOT NULL,
                epoch TEXT NOT NULL,
                sequence INTEGER NOT NULL
            );
            CREATE TABLE organization_mappings (
                organization_id INTEGER PRIMARY KEY NOT NULL,
                slug TEXT NOT NULL,
                cell_name TEXT NOT NULL,
                sequence INTEGER NOT NULL UNIQUE,
                is_deleted INTEGER NOT NULL,
                created_at INTEGER NOT NULL
            );
            CREATE UNIQUE INDEX organization_mappings_by_slug ON organization_mappings (slug) WHERE is_deleted = 0;
            CREATE INDEX organization_mappings_by_cell ON organization_mappings (cell_name);
            CREATE TABLE organization_mapping_replica (
                organization_id INTEGER PRIMARY KEY NOT NULL,
                slug TEXT NOT NULL,
                cell_name TEXT NOT NULL,
                sequence INTEGER NOT NULL,
                is_deleted INTEGER NOT NULL,
                created_at INTEGER NOT NULL
            );
            CREATE INDEX organization_mapping_replica_by_slug ON organization_mapping_replica (slug, is_deleted);
            CREATE INDEX organization_mapping_replica_by_cell ON organization_mapping_replica (cell_name);
            CREATE TABLE silo_replicas (
                name TEXT PRIMARY KEY NOT NULL,
                epoch TEXT NOT NULL,
                sequence INTEGER NOT NULL
            );
            """
    )

    /// Where control's histories were when it started.
    static let historyEpochs = Migration(
        "silo-4-history-epochs",
        sql: """
            CREATE TABLE silo_history_epochs (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                name TEXT NOT NULL,
                epoch TEXT NOT NULL,
                last_sequence INTEGER NOT NULL
            );
            CREATE INDEX silo_history_epochs_by_epoch ON silo_history_epochs (name, epoch);
            """
    )

    /// Control's history of API keys, integrations and installations. Keys of before it begin it.
    static let services = Migration(
        "silo-3-key-changes-and-integrations",
        sql: """
            CREATE TABLE api_key_changes (
                key_id INTEGER PRIMARY KEY NOT NULL,
                organization_id INTEGER NOT NULL,
                sequence INTEGER NOT NULL UNIQUE,
                is_deleted INTEGER NOT NULL
            );
            INSERT INTO api_key_changes (key_id, organization_id, sequence, is_deleted)
                SELECT id, organization_id, id, 0 FROM api_keys;
            INSERT INTO silo_histories (name, epoch, sequence)
                SELECT 'api_keys', lower(hex(randomblob(8))), MAX(id) FROM api_keys HAVING COUNT(*) > 0;
            CREATE TABLE integrations (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                provider TEXT NOT NULL,
                external_id TEXT NOT NULL,
                name TEXT NOT NULL,
                config TEXT NOT NULL,
                created_at INTEGER NOT NULL,
                UNIQUE (provider, external_id)
            );
            CREATE TABLE installations (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                organization_id INTEGER NOT NULL REFERENCES organizations (id),
                integration_id INTEGER NOT NULL REFERENCES integrations (id),
                created_at INTEGER NOT NULL,
                UNIQUE (organization_id, integration_id)
            );
            CREATE INDEX installations_by_integration ON installations (integration_id);
            """
    )
}
