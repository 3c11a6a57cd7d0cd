-- Workflows whose runs begin by themselves.

-- One row for each way in which runs of a workflow's launchable version begin by themselves.
CREATE TABLE schedules (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('cron', 'every', 'after', 'on')),
    version    TEXT NOT NULL,
    -- Since when it holds; `every` counts from here.
    anchor     INTEGER NOT NULL,
    -- When there is something to do next; none while it waits for an event or the end of a run.
    due_at     INTEGER,
    fired_at   INTEGER,
    -- The last run that it launched.
    run_id     TEXT REFERENCES runs (id),
    -- Events up to here have been looked at.
    seen       INTEGER NOT NULL,
    -- Events that wait for others to start a run with.
    gathered   TEXT,
    PRIMARY KEY (namespace, name, kind),
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version)
) STRICT;

-- used in: claim_schedule, next_schedule
CREATE INDEX schedules_due ON schedules (due_at, namespace, name, kind) WHERE due_at IS NOT NULL;
-- used in: schedule_after
CREATE INDEX schedules_run ON schedules (run_id) WHERE run_id IS NOT NULL;

-- One row for every filter of the events that start runs. An empty key: any.
CREATE TABLE schedule_filters (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    type_key   TEXT NOT NULL,
    source_key TEXT NOT NULL,
    PRIMARY KEY (namespace, name, type_key, source_key)
) STRICT;

-- used in: is_anybody_listening
CREATE INDEX schedule_filters_filter ON schedule_filters (type_key, source_key, namespace, name);
