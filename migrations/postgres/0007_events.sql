-- Events that runs listen to, and runs that runs have started.

-- Sources, ids and types have no greatest length, and what stands in an index has one: so the keys are digests.
CREATE TABLE events (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of source and id, which together tell an event from every other.
    key         TEXT COLLATE "C" NOT NULL UNIQUE,
    type_key    TEXT COLLATE "C" NOT NULL,
    source_key  TEXT COLLATE "C" NOT NULL,
    -- The run whose lifecycle it tells.
    run_id      TEXT COLLATE "C" REFERENCES runs (id),
    received_at BIGINT NOT NULL,
    body        TEXT NOT NULL
);

-- used in: missed_events, prune_events
CREATE INDEX events_received ON events (received_at, seq);

-- One row for every filter of an open subscription. An empty key: any.
CREATE TABLE subscriptions (
    run_id       TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    subscription BIGINT NOT NULL CHECK (subscription >= 0),
    type_key     TEXT COLLATE "C" NOT NULL,
    source_key   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, subscription, type_key, source_key)
);

-- used in: subscribers, is_anybody_listening
CREATE INDEX subscriptions_filter ON subscriptions (type_key, source_key, run_id, subscription);

-- What a run has made use of already, and does not get again.
CREATE TABLE consumed_events (
    run_id    TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    event_key TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (run_id, event_key)
);

-- used in: prune_events
CREATE INDEX consumed_events_at ON consumed_events (at);

CREATE TABLE child_runs (
    run_id    TEXT COLLATE "C" PRIMARY KEY REFERENCES runs (id),
    parent_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    call      BIGINT NOT NULL CHECK (call >= 0),
    depth     BIGINT NOT NULL CHECK (depth > 0),
    UNIQUE (parent_id, call)
);
