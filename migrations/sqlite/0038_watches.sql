-- Triggers that nobody calls: each looks over a connection for what has come.

-- A CHECK cannot be changed here: the table is made anew, and with it those that refer to it, because dropping it would
-- take their rows along.
ALTER TABLE triggers RENAME TO triggers_before;
ALTER TABLE trigger_deliveries RENAME TO trigger_deliveries_before;
ALTER TABLE trigger_alerts RENAME TO trigger_alerts_before;

CREATE TABLE triggers (
    id               TEXT PRIMARY KEY,
    namespace        TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 63),
    name             TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    kind             TEXT NOT NULL CHECK (kind IN ('webhook', 'github', 'gitlab', 'alertmanager', 'grafana',
                         'file-drop', 'mailbox')),
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

INSERT INTO triggers SELECT * FROM triggers_before;
INSERT INTO trigger_deliveries SELECT * FROM trigger_deliveries_before;
INSERT INTO trigger_alerts SELECT * FROM trigger_alerts_before;
DROP TABLE trigger_alerts_before;
DROP TABLE trigger_deliveries_before;
DROP TABLE triggers_before;

-- used in: prune_deliveries
CREATE INDEX trigger_deliveries_received ON trigger_deliveries (received_at);
CREATE INDEX trigger_alerts_seen ON trigger_alerts (seen_at);

-- used in: the check of references when a person is removed
CREATE INDEX triggers_secret_by ON triggers (secret_by);
CREATE INDEX triggers_changed_by ON triggers (changed_by);
CREATE INDEX trigger_deliveries_replayed_by ON trigger_deliveries (replayed_by) WHERE replayed_by IS NOT NULL;

-- Where such a trigger looks, and how far it has come.
CREATE TABLE trigger_watches (
    trigger_id    TEXT PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
    -- The name of the connection, and what is looked at over it.
    connection    TEXT NOT NULL CHECK (length(connection) BETWEEN 1 AND 200),
    place         TEXT NOT NULL,
    -- Seconds between two looks.
    pause         INTEGER NOT NULL CHECK (pause > 0),
    -- When it looks next; while a node looks, until when it has that to itself.
    due_at        INTEGER NOT NULL,
    -- How far it has looked, in the words of the connector; nothing before its first look.
    progress      TEXT,
    looked_at     INTEGER,
    -- Since when it cannot do what it should, and why.
    failing_since INTEGER,
    trouble       TEXT,
    CHECK ((failing_since IS NULL) = (trouble IS NULL))
) STRICT;

-- used in: watches_due
CREATE INDEX trigger_watches_due ON trigger_watches (due_at);

-- What it has taken note of, so that nothing is delivered twice, however long it stays there.
CREATE TABLE trigger_items (
    trigger_id TEXT NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    item       TEXT NOT NULL CHECK (length(item) BETWEEN 1 AND 200),
    -- Whether what is to become of it there (moved, marked) is done.
    settled    INTEGER NOT NULL,
    PRIMARY KEY (trigger_id, item)
) STRICT, WITHOUT ROWID;
