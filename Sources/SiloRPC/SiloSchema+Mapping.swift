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
}
