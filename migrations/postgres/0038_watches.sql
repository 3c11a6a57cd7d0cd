-- Triggers that nobody calls: each looks over a connection for what has come.

ALTER TABLE triggers DROP CONSTRAINT triggers_kind_check;
ALTER TABLE triggers ADD CONSTRAINT triggers_kind_check CHECK
    (kind IN ('webhook', 'github', 'gitlab', 'alertmanager', 'grafana', 'file-drop', 'mailbox'));

-- Where such a trigger looks, and how far it has come.
CREATE TABLE trigger_watches (
    trigger_id    TEXT COLLATE "C" PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
    -- The name of the connection, and what is looked at over it.
    connection    TEXT COLLATE "C" NOT NULL CHECK (length(connection) BETWEEN 1 AND 200),
    place         TEXT COLLATE "C" NOT NULL,
    -- Seconds between two looks.
    pause         BIGINT NOT NULL CHECK (pause > 0),
    -- When it looks next; while a node looks, until when it has that to itself.
    due_at        BIGINT NOT NULL,
    -- How far it has looked, in the words of the connector; nothing before its first look.
    progress      TEXT COLLATE "C",
    looked_at     BIGINT,
    -- Since when it cannot do what it should, and why.
    failing_since BIGINT,
    trouble       TEXT COLLATE "C",
    CHECK ((failing_since IS NULL) = (trouble IS NULL))
);

-- used in: watches_due
CREATE INDEX trigger_watches_due ON trigger_watches (due_at);

-- What it has taken note of, so that nothing is delivered twice, however long it stays there.
CREATE TABLE trigger_items (
    trigger_id TEXT COLLATE "C" NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    item       TEXT COLLATE "C" NOT NULL CHECK (length(item) BETWEEN 1 AND 200),
    -- Whether what is to become of it there (moved, marked) is done.
    settled    BOOLEAN NOT NULL,
    PRIMARY KEY (trigger_id, item)
);
