-- Working time, and what time does to approvals.

CREATE TABLE calendars (
    -- '*', or a namespace.
    scope      TEXT COLLATE "C" NOT NULL CHECK (length(scope) BETWEEN 1 AND 63),
    name       TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    text       TEXT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

-- used in: the check of references when a person is removed
CREATE INDEX calendars_changed_by ON calendars (changed_by);

-- What time does to an approval, as its definition says, as JSON.
ALTER TABLE approvals ADD COLUMN timing TEXT;

-- What is to happen to an approval if it is still open then. A row is taken once.
CREATE TABLE approval_timers (
    approval_id TEXT COLLATE "C" NOT NULL REFERENCES approvals (id),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('remind', 'escalate', 'due')),
    at          BIGINT NOT NULL,
    fired_at    BIGINT,
    PRIMARY KEY (approval_id, kind, at)
);

-- used in: take_approval_timers, next_approval_timer
CREATE INDEX approval_timers_at ON approval_timers (at) WHERE fired_at IS NULL;
