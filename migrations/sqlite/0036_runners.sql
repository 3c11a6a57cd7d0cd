-- Runners that execute processes near the systems, and what there is for them to do.

CREATE TABLE runners (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
    -- Its labels, in order, with spaces between them.
    labels     TEXT NOT NULL,
    -- For which namespaces it works, likewise; `*` for all.
    namespaces TEXT NOT NULL CHECK (length(namespaces) > 0),
    token_hash TEXT NOT NULL UNIQUE,
    state      TEXT NOT NULL CHECK (state IN ('enabled', 'draining', 'disabled')),
    created_by TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    -- The installation that uses the token, how often it has begun, and what it has asked for last since.
    instance   TEXT,
    session    INTEGER NOT NULL DEFAULT 0,
    turn       INTEGER NOT NULL DEFAULT 0,
    version    TEXT,
    capacity   INTEGER,
    load       INTEGER,
    seen_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE runner_tasks (
    run_id      TEXT NOT NULL REFERENCES runs (id),
    call        INTEGER NOT NULL,
    reference   TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    -- The labels that its runner must have, in order, with spaces between them.
    labels      TEXT NOT NULL,
    -- Whether it may be begun again when nobody knows how far it came.
    idempotent  INTEGER NOT NULL,
    deadline    INTEGER,
    -- The process with its secrets, sealed for this task; gone when it is done.
    payload     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'started', 'done')),
    -- One more each time that a runner is given it.
    epoch       INTEGER NOT NULL,
    -- The runner that was given it last, and until when it is alone in that.
    runner_id   TEXT,
    lease_until INTEGER,
    -- Whether nobody wants it any more.
    stopped     INTEGER NOT NULL,
    queued_at   INTEGER NOT NULL,
    started_at  INTEGER,
    done_at     INTEGER,
    -- What became of it, as JSON.
    outcome     TEXT,
    PRIMARY KEY (run_id, call),
    CHECK ((state = 'done') = (outcome IS NOT NULL)),
    CHECK ((state = 'done') = (done_at IS NOT NULL)),
    CHECK ((state = 'done') = (payload IS NULL)),
    CHECK ((state IN ('leased', 'started')) = (lease_until IS NOT NULL)),
    CHECK (lease_until IS NULL OR runner_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX runner_tasks_open ON runner_tasks (queued_at, run_id, call) WHERE done_at IS NULL;
CREATE INDEX runner_tasks_queued ON runner_tasks (namespace, labels, queued_at) WHERE state = 'queued';
CREATE INDEX runner_tasks_held ON runner_tasks (runner_id) WHERE lease_until IS NOT NULL;
CREATE INDEX runner_tasks_leases ON runner_tasks (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX runner_tasks_done ON runner_tasks (done_at) WHERE done_at IS NOT NULL;
