-- Runners that execute processes near the systems, and what there is for them to do.

CREATE TABLE runners (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
    -- Its labels, in order, with spaces between them.
    labels     TEXT COLLATE "C" NOT NULL,
    -- For which namespaces it works, likewise; `*` for all.
    namespaces TEXT COLLATE "C" NOT NULL CHECK (length(namespaces) > 0),
    token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('enabled', 'draining', 'disabled')),
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    -- The installation that uses the token, how often it has begun, and what it has asked for last since.
    instance   TEXT COLLATE "C",
    session    BIGINT NOT NULL DEFAULT 0,
    turn       BIGINT NOT NULL DEFAULT 0,
    version    TEXT COLLATE "C",
    capacity   BIGINT,
    load       BIGINT,
    seen_at    BIGINT
);

CREATE TABLE runner_tasks (
    run_id      TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    call        BIGINT NOT NULL,
    reference   TEXT COLLATE "C" NOT NULL,
    namespace   TEXT COLLATE "C" NOT NULL,
    -- The labels that its runner must have, in order, with spaces between them.
    labels      TEXT COLLATE "C" NOT NULL,
    -- Whether it may be begun again when nobody knows how far it came.
    idempotent  BOOLEAN NOT NULL,
    deadline    BIGINT,
    -- The process with its secrets, sealed for this task; gone when it is done.
    payload     TEXT COLLATE "C",
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'leased', 'started', 'done')),
    -- One more each time that a runner is given it.
    epoch       BIGINT NOT NULL,
    -- The runner that was given it last, and until when it is alone in that.
    runner_id   TEXT COLLATE "C",
    lease_until BIGINT,
    -- Whether nobody wants it any more.
    stopped     BOOLEAN NOT NULL,
    queued_at   BIGINT NOT NULL,
    started_at  BIGINT,
    done_at     BIGINT,
    -- What became of it, as JSON.
    outcome     TEXT COLLATE "C",
    PRIMARY KEY (run_id, call),
    CHECK ((state = 'done') = (outcome IS NOT NULL)),
    CHECK ((state = 'done') = (done_at IS NOT NULL)),
    CHECK ((state = 'done') = (payload IS NULL)),
    CHECK ((state IN ('leased', 'started')) = (lease_until IS NOT NULL)),
    CHECK (lease_until IS NULL OR runner_id IS NOT NULL)
);

CREATE INDEX runner_tasks_open ON runner_tasks (queued_at, run_id, call) WHERE done_at IS NULL;
CREATE INDEX runner_tasks_queued ON runner_tasks (namespace, labels, queued_at) WHERE state = 'queued';
CREATE INDEX runner_tasks_held ON runner_tasks (runner_id) WHERE lease_until IS NOT NULL;
CREATE INDEX runner_tasks_leases ON runner_tasks (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX runner_tasks_done ON runner_tasks (done_at) WHERE done_at IS NOT NULL;
