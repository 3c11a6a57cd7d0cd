-- Limits of what is executed at once and in what time.

-- Whose limit holds the run up.
ALTER TABLE runs ADD COLUMN waits_for TEXT COLLATE "C" CHECK (waits_for IN ('workflow', 'namespace', 'connection'));

-- used in: claim_runs, by turns between namespaces
CREATE INDEX runs_due_by_namespace ON runs (namespace, due_at, id) WHERE due_at IS NOT NULL;
DROP INDEX runs_due;

CREATE TABLE namespace_limits (
    namespace  TEXT COLLATE "C" PRIMARY KEY CHECK (length(namespace) BETWEEN 1 AND 200),
    runs       BIGINT CHECK (runs > 0),
    calls      BIGINT CHECK (calls > 0),
    changed_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    changed_at BIGINT NOT NULL
);

-- Who has a place, and who waits for one.
CREATE TABLE places (
    scope    TEXT COLLATE "C" NOT NULL,
    run_id   TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    -- -1: the run itself.
    call     BIGINT NOT NULL CHECK (call >= -1),
    epoch    BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    waits    BOOLEAN NOT NULL,
    taken_at BIGINT,
    PRIMARY KEY (run_id, call, scope),
    CHECK (waits OR taken_at IS NOT NULL)
);

-- used in: count_taken, count_waiting, first_waiting
CREATE INDEX places_scope ON places (scope, waits, since, run_id, call);

-- What has begun, for as long as the longest rate looks back.
CREATE TABLE starts (
    scope  TEXT COLLATE "C" NOT NULL,
    at     BIGINT NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    call   BIGINT NOT NULL,
    PRIMARY KEY (scope, at, run_id, call)
);
