-- Namespaces whose workflows may run shell commands, scripts and containers. What is not here may not.

CREATE TABLE process_permissions (
    namespace  TEXT PRIMARY KEY CHECK (length(namespace) BETWEEN 1 AND 200),
    granted_by TEXT NOT NULL REFERENCES users (id),
    granted_at INTEGER NOT NULL
) STRICT;
