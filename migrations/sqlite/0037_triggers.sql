-- Triggers: what other systems call, and what became of each call.

CREATE TABLE triggers (
    id               TEXT PRIMARY KEY,
    namespace        TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 63),
    name             TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    kind             TEXT NOT NULL CHECK (kind IN ('webhook', 'github', 'gitlab', 'alertmanager', 'grafana')),
    -- The last part of the address that is called.
    place            TEXT NOT NULL UNIQUE,
    sealed_secret    TEXT NOT NULL,
    -- Who gave the secret, and so could call.
    secret_by        TEXT NOT NULL REFERENCES users (id),
    -- Which workflow of the namespace it launches, with what, and of which calls.
    workflow         TEXT NOT NULL CHECK (length(workflow) BETWEEN 1 AND 63),
    mapping          TEXT NOT NULL,
    filter           TEXT,
    -- Where a signed call says its signature, time and id.
    signature_header TEXT,
    time_header      TEXT,
    id_header        TEXT,
    -- What becomes of a run when its alert is resolved.
    alert_end        TEXT NOT NULL CHECK (alert_end IN ('continue', 'close')),
    enabled          INTEGER NOT NULL,
    -- How many deliveries it has had: the number of the last.
    deliveries       INTEGER NOT NULL,
    changed_by       TEXT NOT NULL REFERENCES users (id),
    changed_at       INTEGER NOT NULL,
    UNIQUE (namespace, name)
) STRICT;

CREATE TABLE trigger_deliveries (
    trigger_id  TEXT NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    -- What tells it from every other: the same once more is the same delivery.
    key         TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    -- What it said, sealed for this place; nothing where that was too large.
    payload     TEXT,
    outcome     TEXT NOT NULL CHECK (outcome IN
                    ('launched', 'continued', 'closed', 'filtered', 'duplicate', 'invalid', 'refused')),
    -- Why, in words.
    detail      TEXT,
    run_id      TEXT REFERENCES runs (id),
    run_number  INTEGER,
    fingerprint TEXT,
    -- Which delivery it repeats, and who wanted that.
    replay_of   INTEGER,
    replayed_by TEXT REFERENCES users (id),
    -- How often it came again, and when it did last.
    repeats     INTEGER NOT NULL,
    repeated_at INTEGER,
    PRIMARY KEY (trigger_id, number),
    UNIQUE (trigger_id, key),
    CHECK ((run_id IS NULL) = (run_number IS NULL)),
    CHECK ((replay_of IS NULL) = (replayed_by IS NULL))
) STRICT;

-- Alerts for which a run was launched, by what monitoring tells them apart by.
CREATE TABLE trigger_alerts (
    trigger_id  TEXT NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    -- Since when it fires, as monitoring says it: another time is another alert.
    starts_at   TEXT NOT NULL,
    run_id      TEXT NOT NULL REFERENCES runs (id),
    resolved_at INTEGER,
    -- When it was heard of last.
    seen_at     INTEGER NOT NULL,
    PRIMARY KEY (trigger_id, fingerprint)
) STRICT;

-- used in: prune_deliveries
CREATE INDEX trigger_deliveries_received ON trigger_deliveries (received_at);
CREATE INDEX trigger_alerts_seen ON trigger_alerts (seen_at);

-- used in: the check of references when a person is removed
CREATE INDEX triggers_secret_by ON triggers (secret_by);
CREATE INDEX triggers_changed_by ON triggers (changed_by);
CREATE INDEX trigger_deliveries_replayed_by ON trigger_deliveries (replayed_by) WHERE replayed_by IS NOT NULL;
