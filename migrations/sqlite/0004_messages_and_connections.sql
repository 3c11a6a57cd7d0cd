-- What goes out to people, and the systems that workflows talk to.

CREATE TABLE notifications (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    title      TEXT NOT NULL,
    run_number INTEGER,
    link       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    read_at    INTEGER
) STRICT;

-- used in: notifications_of
CREATE INDEX notifications_user ON notifications (user_id, created_at, id);
-- used in: count_unread, mark_read
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;

CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    key        TEXT NOT NULL UNIQUE CHECK (length(key) <= 500),
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    due_at     INTEGER NOT NULL,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('unsent', 'sent', 'given-up')),
    sent_at    INTEGER,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
) STRICT;

-- used in: take_outgoing
CREATE INDEX outbox_due ON outbox (kind, due_at, seq) WHERE state = 'unsent';
-- used in: count_outgoing
CREATE INDEX outbox_given_up ON outbox (seq) WHERE state = 'given-up';

CREATE TABLE connections (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    kind          TEXT NOT NULL,
    settings      TEXT NOT NULL,
    sealed_secret TEXT,
    namespaces    TEXT NOT NULL,
    last_check    TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
