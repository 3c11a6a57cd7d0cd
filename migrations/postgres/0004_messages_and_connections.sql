-- What goes out to people, and the systems that workflows talk to.

CREATE TABLE notifications (
    id         TEXT COLLATE "C" PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT COLLATE "C" NOT NULL,
    title      TEXT NOT NULL,
    run_number BIGINT,
    link       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    read_at    BIGINT
);

-- used in: notifications_of
CREATE INDEX notifications_user ON notifications (user_id, created_at, id);
-- used in: count_unread, mark_read
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;

CREATE TABLE outbox (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    payload    TEXT NOT NULL,
    key        TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(key) <= 500),
    attempts   BIGINT NOT NULL CHECK (attempts >= 0),
    due_at     BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('unsent', 'sent', 'given-up')),
    sent_at    BIGINT,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);

-- used in: take_outgoing
CREATE INDEX outbox_due ON outbox (kind, due_at, seq) WHERE state = 'unsent';
-- used in: count_outgoing
CREATE INDEX outbox_given_up ON outbox (seq) WHERE state = 'given-up';

CREATE TABLE connections (
    id            TEXT COLLATE "C" PRIMARY KEY,
    name          TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    kind          TEXT COLLATE "C" NOT NULL,
    settings      TEXT NOT NULL,
    sealed_secret TEXT,
    namespaces    TEXT NOT NULL,
    last_check    TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
