-- Secrets of namespaces, for `use.secrets` of their workflows. The value is sealed for its place and never leaves.

CREATE TABLE secrets (
    namespace    TEXT COLLATE "C" NOT NULL CHECK (length(namespace) BETWEEN 1 AND 200),
    name         TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    sealed_value TEXT COLLATE "C" NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at   BIGINT NOT NULL,
    updated_by   TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (namespace, name)
);

-- The texts elsewhere that a definition refers to, as they were when it was stored: a JSON object by URI.
ALTER TABLE workflow_versions ADD COLUMN resources TEXT COLLATE "C" NOT NULL DEFAULT '{}';
