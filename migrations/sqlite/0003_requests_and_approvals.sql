-- What makes sending a request safe, and what waits for people.

CREATE TABLE drafts (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    "values"   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    run_id     TEXT REFERENCES runs (id)
) STRICT;

-- used in: drafts_of
CREATE INDEX drafts_user ON drafts (user_id, updated_at) WHERE run_id IS NULL;
-- used in: prune_drafts
CREATE INDEX drafts_updated ON drafts (updated_at) WHERE run_id IS NULL;

CREATE TABLE idempotency_keys (
    user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key            TEXT NOT NULL CHECK (length(key) <= 500),
    request_digest TEXT NOT NULL,
    status         INTEGER NOT NULL CHECK (status = 0 OR status BETWEEN 100 AND 599),
    body           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;

-- used in: prune_answered
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE approvals (
    id           TEXT PRIMARY KEY,
    run_id       TEXT NOT NULL REFERENCES runs (id),
    call         TEXT NOT NULL CHECK (length(call) <= 500),
    reference    TEXT NOT NULL,
    title        TEXT NOT NULL,
    message      TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'void')),
    rule         TEXT NOT NULL,
    shown        TEXT NOT NULL,
    digest       TEXT NOT NULL,
    requester_id TEXT NOT NULL REFERENCES users (id),
    opened_at    INTEGER NOT NULL,
    due_at       INTEGER,
    closed_at    INTEGER,
    UNIQUE (run_id, call),
    CHECK ((state = 'pending') = (closed_at IS NULL))
) STRICT;

-- used in: list_approvals (the queue); 9223372036854775807 stands for "no due time"
CREATE INDEX approvals_queue ON approvals (COALESCE(due_at, 9223372036854775807), id) WHERE state = 'pending';
-- used in: overdue_approvals
CREATE INDEX approvals_due ON approvals (due_at) WHERE state = 'pending' AND due_at IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX approvals_requester ON approvals (requester_id);

CREATE TABLE approval_approvers (
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    user_id     TEXT NOT NULL REFERENCES users (id),
    via         TEXT NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (approval_id, user_id)
) STRICT, WITHOUT ROWID;

-- used in: list_approvals, count_waiting_for, the visibility of runs
CREATE INDEX approval_approvers_user ON approval_approvers (user_id, approval_id);

CREATE TABLE decisions (
    id          TEXT PRIMARY KEY,
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    user_id     TEXT NOT NULL REFERENCES users (id),
    kind        TEXT NOT NULL CHECK (kind IN ('approve', 'reject', 'request-changes')),
    comment     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    decided_at  INTEGER NOT NULL,
    UNIQUE (approval_id, user_id)
) STRICT;

-- used in: the check of references when a person is removed
CREATE INDEX decisions_user ON decisions (user_id);

-- What was decided stays decided.
CREATE TRIGGER decisions_are_fixed BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions: rows never change');
END;
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions: rows are never deleted');
END;
