-- Namespaces whose workflows may run shell commands, scripts and containers. What is not here may not.

CREATE TABLE process_permissions (
    namespace  TEXT COLLATE "C" PRIMARY KEY CHECK (length(namespace) BETWEEN 1 AND 200),
    granted_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    granted_at BIGINT NOT NULL
);
