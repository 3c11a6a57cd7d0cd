-- Limits of what is executed at once and in what time.

-- Whose limit holds the run up.
ALTER TABLE runs ADD COLUMN waits_for TEXT CHECK (waits_for IN ('workflow', 'namespace', 'connection'));

-- used in: claim_runs, by turns between namespaces
CREATE INDEX runs_due_by_namespace ON runs (namespace, due_at, id) WHERE due_at IS NOT NULL;
DROP INDEX runs_due;

CREATE TABLE namespace_limits (
    namespace  TEXT PRIMARY KEY CHECK (length(namespace) BETWEEN 1 AND 200),
    runs       INTEGER CHECK (runs > 0),
    calls      INTEGER CHECK (calls > 0),
    changed_by TEXT NOT NULL REFERENCES users (id),
    changed_at INTEGER NOT NULL
) STRICT;

-- Who has a place, and who waits for one.
CREATE TABLE places (
    scope    TEXT NOT NULL,
    run_id   TEXT NOT NULL REFERENCES runs (id),
    -- -1: the run itself.
    call     INTEGER NOT NULL CHECK (call >= -1),
    epoch    INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    waits    INTEGER NOT NULL CHECK (waits IN (0, 1)),
    taken_at INTEGER,
    PRIMARY KEY (run_id, call, scope),
    CHECK (waits = 1 OR taken_at IS NOT NULL)
) STRICT;

-- used in: count_taken, count_waiting, first_waiting
CREATE INDEX places_scope ON places (scope, waits, since, run_id, call);

-- What has begun, for as long as the longest rate looks back.
CREATE TABLE starts (
    scope  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    call   INTEGER NOT NULL,
    PRIMARY KEY (scope, at, run_id, call)
) STRICT;
