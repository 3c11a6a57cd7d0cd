-- Triggers: what other systems call, and what became of each call.

CREATE TABLE triggers (
    id               TEXT COLLATE "C" PRIMARY KEY,
    namespace        TEXT COLLATE "C" NOT NULL CHECK (length(namespace) BETWEEN 1 AND 63),
    name             TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('webhook', 'github', 'gitlab', 'alertmanager', 'grafana')),
    -- The last part of the address that is called.
    place            TEXT COLLATE "C" NOT NULL UNIQUE,
    sealed_secret    TEXT COLLATE "C" NOT NULL,
    -- Who gave the secret, and so could call.
    secret_by        TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    -- Which workflow of the namespace it launches, with what, and of which calls.
    workflow         TEXT COLLATE "C" NOT NULL CHECK (length(workflow) BETWEEN 1 AND 63),
    mapping          TEXT COLLATE "C" NOT NULL,
    filter           TEXT COLLATE "C",
    -- Where a signed call says its signature, time and id.
    signature_header TEXT COLLATE "C",
    time_header      TEXT COLLATE "C",
    id_header        TEXT COLLATE "C",
    -- What becomes of a run when its alert is resolved.
    alert_end        TEXT COLLATE "C" NOT NULL CHECK (alert_end IN ('continue', 'close')),
    enabled          BOOLEAN NOT NULL,
    -- How many deliveries it has had: the number of the last.
    deliveries       BIGINT NOT NULL,
    changed_by       TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    changed_at       BIGINT NOT NULL,
    UNIQUE (namespace, name)
);

CREATE TABLE trigger_deliveries (
    trigger_id  TEXT COLLATE "C" NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    number      BIGINT NOT NULL,
    -- What tells it from every other: the same once more is the same delivery.
    key         TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    -- What it said, sealed for this place; nothing where that was too large.
    payload     TEXT COLLATE "C",
    outcome     TEXT COLLATE "C" NOT NULL CHECK (outcome IN
                    ('launched', 'continued', 'closed', 'filtered', 'duplicate', 'invalid', 'refused')),
    -- Why, in words.
    detail      TEXT COLLATE "C",
    run_id      TEXT COLLATE "C" REFERENCES runs (id),
    run_number  BIGINT,
    fingerprint TEXT COLLATE "C",
    -- Which delivery it repeats, and who wanted that.
    replay_of   BIGINT,
    replayed_by TEXT COLLATE "C" REFERENCES users (id),
    -- How often it came again, and when it did last.
    repeats     BIGINT NOT NULL,
    repeated_at BIGINT,
    PRIMARY KEY (trigger_id, number),
    UNIQUE (trigger_id, key),
    CHECK ((run_id IS NULL) = (run_number IS NULL)),
    CHECK ((replay_of IS NULL) = (replayed_by IS NULL))
);

-- Alerts for which a run was launched, by what monitoring tells them apart by.
CREATE TABLE trigger_alerts (
    trigger_id  TEXT COLLATE "C" NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    fingerprint TEXT COLLATE "C" NOT NULL,
    -- Since when it fires, as monitoring says it: another time is another alert.
    starts_at   TEXT COLLATE "C" NOT NULL,
    run_id      TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    resolved_at BIGINT,
    -- When it was heard of last.
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (trigger_id, fingerprint)
);

-- used in: prune_deliveries
CREATE INDEX trigger_deliveries_received ON trigger_deliveries (received_at);
CREATE INDEX trigger_alerts_seen ON trigger_alerts (seen_at);

-- used in: the check of references when a person is removed
CREATE INDEX triggers_secret_by ON triggers (secret_by);
CREATE INDEX triggers_changed_by ON triggers (changed_by);
CREATE INDEX trigger_deliveries_replayed_by ON trigger_deliveries (replayed_by) WHERE replayed_by IS NOT NULL;
