-- Events that runs listen to, and runs that runs have started.

-- Sources, ids and types have no greatest length, and what stands in an index has one: so the keys are digests.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of source and id, which together tell an event from every other.
    key         TEXT NOT NULL UNIQUE,
    type_key    TEXT NOT NULL,
    source_key  TEXT NOT NULL,
    -- The run whose lifecycle it tells.
    run_id      TEXT REFERENCES runs (id),
    received_at INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

-- used in: missed_events, prune_events
CREATE INDEX events_received ON events (received_at, seq);

-- One row for every filter of an open subscription. An empty key: any.
CREATE TABLE subscriptions (
    run_id       TEXT NOT NULL REFERENCES runs (id),
    subscription INTEGER NOT NULL CHECK (subscription >= 0),
    type_key     TEXT NOT NULL,
    source_key   TEXT NOT NULL,
    PRIMARY KEY (run_id, subscription, type_key, source_key)
) STRICT;

-- used in: subscribers, is_anybody_listening
CREATE INDEX subscriptions_filter ON subscriptions (type_key, source_key, run_id, subscription);

-- What a run has made use of already, and does not get again.
CREATE TABLE consumed_events (
    run_id    TEXT NOT NULL REFERENCES runs (id),
    event_key TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (run_id, event_key)
) STRICT;

-- used in: prune_events
CREATE INDEX consumed_events_at ON consumed_events (at);

CREATE TABLE child_runs (
    run_id    TEXT PRIMARY KEY REFERENCES runs (id),
    parent_id TEXT NOT NULL REFERENCES runs (id),
    call      INTEGER NOT NULL CHECK (call >= 0),
    depth     INTEGER NOT NULL CHECK (depth > 0),
    UNIQUE (parent_id, call)
) STRICT;
