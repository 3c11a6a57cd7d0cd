-- Secrets of namespaces, for `use.secrets` of their workflows. The value is sealed for its place and never leaves.

CREATE TABLE secrets (
    namespace    TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 200),
    name         TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    sealed_value TEXT NOT NULL,
    created_by   TEXT NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL REFERENCES users (id),
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) STRICT;

-- The texts elsewhere that a definition refers to, as they were when it was stored: a JSON object by URI.
ALTER TABLE workflow_versions ADD COLUMN resources TEXT NOT NULL DEFAULT '{}';
