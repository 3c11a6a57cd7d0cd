-- Definitions, and their executions with everything the engine keeps of them.

-- Guards tables whose rows are evidence; the argument says what is refused.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END;
$$;

CREATE TABLE workflow_versions (
    namespace  TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('draft', 'in-review', 'published', 'retired')),
    source     TEXT NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    title      TEXT NOT NULL,
    created_by TEXT COLLATE "C" REFERENCES users (id),
    created_at BIGINT NOT NULL,
    sort_key   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (namespace, name, version)
);

-- used in: launchable_version, launchable_versions
CREATE INDEX workflow_versions_published ON workflow_versions (namespace, name, sort_key, version) WHERE state = 'published';
-- used in: the check of references when a person is removed
CREATE INDEX workflow_versions_created_by ON workflow_versions (created_by) WHERE created_by IS NOT NULL;

-- A version's text is what was reviewed; only its state moves.
CREATE TRIGGER workflow_versions_text_is_fixed BEFORE UPDATE ON workflow_versions FOR EACH ROW
WHEN (NEW.namespace IS DISTINCT FROM OLD.namespace OR NEW.name IS DISTINCT FROM OLD.name OR NEW.version IS DISTINCT FROM OLD.version
  OR NEW.source IS DISTINCT FROM OLD.source OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.title IS DISTINCT FROM OLD.title
  OR NEW.created_by IS DISTINCT FROM OLD.created_by OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.sort_key IS DISTINCT FROM OLD.sort_key)
EXECUTE FUNCTION refuse_change('workflow_versions: only the state changes');
CREATE TRIGGER workflow_versions_stay BEFORE DELETE ON workflow_versions FOR EACH ROW EXECUTE FUNCTION refuse_change('workflow_versions: rows are never deleted');
CREATE TRIGGER workflow_versions_not_truncated BEFORE TRUNCATE ON workflow_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('workflow_versions: rows are never deleted');

CREATE TABLE runs (
    number            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                TEXT COLLATE "C" NOT NULL UNIQUE,
    namespace         TEXT COLLATE "C" NOT NULL,
    name              TEXT COLLATE "C" NOT NULL,
    version           TEXT COLLATE "C" NOT NULL,
    definition_digest TEXT COLLATE "C" NOT NULL,
    title             TEXT NOT NULL,
    status            TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'running', 'waiting', 'suspended', 'cancelled', 'faulted', 'completed')),
    needs_attention   BOOLEAN NOT NULL,
    rejected          BOOLEAN NOT NULL,
    compensated       BOOLEAN NOT NULL,
    requester_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    input             TEXT NOT NULL,
    output            TEXT,
    error             TEXT,
    created_at        BIGINT NOT NULL,
    started_at        BIGINT,
    ended_at          BIGINT CHECK (ended_at IS NULL OR status IN ('cancelled', 'faulted', 'completed')),
    updated_at        BIGINT NOT NULL,
    journal_version   BIGINT NOT NULL CHECK (journal_version >= 0),
    wake_at           BIGINT,
    -- Arrival of the oldest event in the inbox.
    inbox_since       BIGINT,
    -- Since when there is something to do.
    due_at            BIGINT GENERATED ALWAYS AS (
        CASE WHEN inbox_since IS NULL THEN wake_at
             WHEN wake_at IS NULL OR inbox_since < wake_at THEN inbox_since
             ELSE wake_at END
    ) STORED,
    lease_owner       TEXT COLLATE "C",
    lease_epoch       BIGINT NOT NULL DEFAULT 0 CHECK (lease_epoch >= 0),
    lease_until       BIGINT,
    -- Title and input's values as the program folds them for searching.
    search_text       TEXT NOT NULL,
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);

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
CREATE INDEX runs_attention ON runs (number) WHERE needs_attention;
-- used in: run_statistics
CREATE INDEX runs_completed ON runs (namespace, name, ended_at) WHERE status = 'completed';

CREATE TABLE journal (
    run_id  TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    version BIGINT NOT NULL CHECK (version > 0),
    at      BIGINT NOT NULL,
    event   TEXT NOT NULL,
    PRIMARY KEY (run_id, version)
);

-- What happened stays what happened.
CREATE TRIGGER journal_is_fixed BEFORE UPDATE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change('journal: rows never change');
CREATE TRIGGER journal_stays BEFORE DELETE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change('journal: rows are never deleted');
CREATE TRIGGER journal_not_truncated BEFORE TRUNCATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('journal: rows are never deleted');

CREATE TABLE snapshots (
    run_id  TEXT COLLATE "C" PRIMARY KEY REFERENCES runs (id),
    version BIGINT NOT NULL CHECK (version > 0),
    state   TEXT COLLATE "C" NOT NULL
);

CREATE TABLE inbox (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    event  TEXT NOT NULL,
    at     BIGINT NOT NULL
);

-- used in: inbox, clear_inbox
CREATE INDEX inbox_run ON inbox (run_id, seq);

CREATE TABLE tasks (
    run_id       TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    reference    TEXT COLLATE "C" NOT NULL CHECK (length(reference) <= 600),
    occurrence   BIGINT NOT NULL CHECK (occurrence > 0),
    position     BIGINT NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'running', 'waiting', 'retrying', 'skipped', 'unknown', 'cancelled', 'faulted', 'completed')),
    call         BIGINT CHECK (call >= 0),
    attempts     BIGINT NOT NULL CHECK (attempts >= 0),
    compensation BOOLEAN NOT NULL,
    input        TEXT,
    output       TEXT,
    error        TEXT,
    started_at   BIGINT,
    ended_at     BIGINT,
    PRIMARY KEY (run_id, reference, occurrence)
);

CREATE TABLE effects (
    key    TEXT COLLATE "C" PRIMARY KEY CHECK (length(key) <= 500),
    result TEXT NOT NULL,
    at     BIGINT NOT NULL
);
