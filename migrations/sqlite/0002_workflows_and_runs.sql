-- Definitions, and their executions with everything the engine keeps of them.

CREATE TABLE workflow_versions (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('draft', 'in-review', 'published', 'retired')),
    source     TEXT NOT NULL,
    digest     TEXT NOT NULL,
    title      TEXT NOT NULL,
    created_by TEXT REFERENCES users (id),
    created_at INTEGER NOT NULL,
    sort_key   TEXT NOT NULL,
    PRIMARY KEY (namespace, name, version)
) STRICT;

-- used in: launchable_version, launchable_versions
CREATE INDEX workflow_versions_published ON workflow_versions (namespace, name, sort_key, version) WHERE state = 'published';
-- used in: the check of references when a person is removed
CREATE INDEX workflow_versions_created_by ON workflow_versions (created_by) WHERE created_by IS NOT NULL;

-- A version's text is what was reviewed; only its state moves.
CREATE TRIGGER workflow_versions_text_is_fixed BEFORE UPDATE ON workflow_versions
WHEN NEW.namespace IS NOT OLD.namespace OR NEW.name IS NOT OLD.name OR NEW.version IS NOT OLD.version
  OR NEW.source IS NOT OLD.source OR NEW.digest IS NOT OLD.digest OR NEW.title IS NOT OLD.title
  OR NEW.created_by IS NOT OLD.created_by OR NEW.created_at IS NOT OLD.created_at OR NEW.sort_key IS NOT OLD.sort_key
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: only the state changes');
END;
CREATE TRIGGER workflow_versions_stay BEFORE DELETE ON workflow_versions
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: rows are never deleted');
END;

CREATE TABLE runs (
    number            INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    namespace         TEXT NOT NULL,
    name              TEXT NOT NULL,
    version           TEXT NOT NULL,
    definition_digest TEXT NOT NULL,
    title             TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('pending', 'running', 'waiting', 'suspended', 'cancelled', 'faulted', 'completed')),
    needs_attention   INTEGER NOT NULL CHECK (needs_attention IN (0, 1)),
    rejected          INTEGER NOT NULL CHECK (rejected IN (0, 1)),
    compensated       INTEGER NOT NULL CHECK (compensated IN (0, 1)),
    requester_id      TEXT NOT NULL REFERENCES users (id),
    input             TEXT NOT NULL,
    output            TEXT,
    error             TEXT,
    created_at        INTEGER NOT NULL,
    started_at        INTEGER,
    ended_at          INTEGER CHECK (ended_at IS NULL OR status IN ('cancelled', 'faulted', 'completed')),
    updated_at        INTEGER NOT NULL,
    journal_version   INTEGER NOT NULL CHECK (journal_version >= 0),
    wake_at           INTEGER,
    -- Arrival of the oldest event in the inbox.
    inbox_since       INTEGER,
    -- Since when there is something to do.
    due_at            INTEGER GENERATED ALWAYS AS (
        CASE WHEN inbox_since IS NULL THEN wake_at
             WHEN wake_at IS NULL OR inbox_since < wake_at THEN inbox_since
             ELSE wake_at END
    ) STORED,
    lease_owner       TEXT,
    lease_epoch       INTEGER NOT NULL DEFAULT 0 CHECK (lease_epoch >= 0),
    lease_until       INTEGER,
    -- Title and input's values as the program folds them for searching.
    search_text       TEXT NOT NULL,
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
) STRICT;

-- used in: claim_runs, next_wake
CREATE INDEX runs_due ON runs (due_at, id) WHERE due_at IS NOT NULL;
-- used in: next_wake
CREATE INDEX runs_leased ON runs (lease_until) WHERE lease_until IS NOT NULL;
-- used in: list_runs (own requests), last_launches
CREATE INDEX runs_requester ON runs (requester_id, number);
-- used in: list_runs (by workflow or namespace)
CREATE INDEX runs_workflow ON runs (namespace, name, number);
-- used in: list_runs (by state), count_runs
CREATE INDEX runs_status ON runs (status, number);
-- used in: list_runs (what needs an operator)
CREATE INDEX runs_attention ON runs (number) WHERE needs_attention = 1;
-- used in: run_statistics
CREATE INDEX runs_completed ON runs (namespace, name, ended_at) WHERE status = 'completed';

CREATE TABLE journal (
    run_id  TEXT NOT NULL REFERENCES runs (id),
    version INTEGER NOT NULL CHECK (version > 0),
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    PRIMARY KEY (run_id, version)
) STRICT;

-- What happened stays what happened.
CREATE TRIGGER journal_is_fixed BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal: rows never change');
END;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal: rows are never deleted');
END;

CREATE TABLE snapshots (
    run_id  TEXT PRIMARY KEY REFERENCES runs (id),
    version INTEGER NOT NULL CHECK (version > 0),
    state   TEXT NOT NULL
) STRICT;

CREATE TABLE inbox (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (id),
    event  TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;

-- used in: inbox, clear_inbox
CREATE INDEX inbox_run ON inbox (run_id, seq);

CREATE TABLE tasks (
    run_id       TEXT NOT NULL REFERENCES runs (id),
    reference    TEXT NOT NULL CHECK (length(reference) <= 600),
    occurrence   INTEGER NOT NULL CHECK (occurrence > 0),
    position     INTEGER NOT NULL,
    name         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'running', 'waiting', 'retrying', 'skipped', 'unknown', 'cancelled', 'faulted', 'completed')),
    call         INTEGER CHECK (call >= 0),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    compensation INTEGER NOT NULL CHECK (compensation IN (0, 1)),
    input        TEXT,
    output       TEXT,
    error        TEXT,
    started_at   INTEGER,
    ended_at     INTEGER,
    PRIMARY KEY (run_id, reference, occurrence)
) STRICT;

CREATE TABLE effects (
    key    TEXT PRIMARY KEY CHECK (length(key) <= 500),
    result TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
