-- What makes sending a request safe, and what waits for people.

CREATE TABLE drafts (
    id         TEXT COLLATE "C" PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    namespace  TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    "values"   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    run_id     TEXT COLLATE "C" REFERENCES runs (id)
);

-- used in: drafts_of
CREATE INDEX drafts_user ON drafts (user_id, updated_at) WHERE run_id IS NULL;
-- used in: prune_drafts
CREATE INDEX drafts_updated ON drafts (updated_at) WHERE run_id IS NULL;

CREATE TABLE idempotency_keys (
    user_id        TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key            TEXT COLLATE "C" NOT NULL CHECK (length(key) <= 500),
    request_digest TEXT COLLATE "C" NOT NULL,
    status         BIGINT NOT NULL CHECK (status = 0 OR status BETWEEN 100 AND 599),
    body           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
);

-- used in: prune_answered
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE approvals (
    id           TEXT COLLATE "C" PRIMARY KEY,
    run_id       TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    call         TEXT COLLATE "C" NOT NULL CHECK (length(call) <= 500),
    reference    TEXT COLLATE "C" NOT NULL,
    title        TEXT NOT NULL,
    message      TEXT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'void')),
    rule         TEXT NOT NULL,
    shown        TEXT NOT NULL,
    digest       TEXT COLLATE "C" NOT NULL,
    requester_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    opened_at    BIGINT NOT NULL,
    due_at       BIGINT,
    closed_at    BIGINT,
    UNIQUE (run_id, call),
    CHECK ((state = 'pending') = (closed_at IS NULL))
);

-- used in: list_approvals (the queue); 9223372036854775807 stands for "no due time"
CREATE INDEX approvals_queue ON approvals (COALESCE(due_at, 9223372036854775807), id) WHERE state = 'pending';
-- used in: overdue_approvals
CREATE INDEX approvals_due ON approvals (due_at) WHERE state = 'pending' AND due_at IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX approvals_requester ON approvals (requester_id);

CREATE TABLE approval_approvers (
    approval_id TEXT COLLATE "C" NOT NULL REFERENCES approvals (id),
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    via         TEXT NOT NULL,
    position    BIGINT NOT NULL,
    PRIMARY KEY (approval_id, user_id)
);

-- used in: list_approvals, count_waiting_for, the visibility of runs
CREATE INDEX approval_approvers_user ON approval_approvers (user_id, approval_id);

CREATE TABLE decisions (
    id          TEXT COLLATE "C" PRIMARY KEY,
    approval_id TEXT COLLATE "C" NOT NULL REFERENCES approvals (id),
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('approve', 'reject', 'request-changes')),
    comment     TEXT NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    decided_at  BIGINT NOT NULL,
    UNIQUE (approval_id, user_id)
);

-- used in: the check of references when a person is removed
CREATE INDEX decisions_user ON decisions (user_id);

-- What was decided stays decided.
CREATE TRIGGER decisions_are_fixed BEFORE UPDATE ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_change('decisions: rows never change');
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_change('decisions: rows are never deleted');
CREATE TRIGGER decisions_not_truncated BEFORE TRUNCATE ON decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('decisions: rows are never deleted');
