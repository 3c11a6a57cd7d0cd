-- What entries of the audit log are found by beyond their columns, and searches that people have named.
--
-- The index is filled after the entries have their places, those from before included; it is no part of what is signed, and
-- could be made again from the entries.

CREATE TABLE audit_words (
    rowid BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);

-- used in: list_audit (by text)
CREATE INDEX audit_words_words ON audit_words USING gin (words);

CREATE TABLE audit_marks (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('policy', 'address', 'credential')),
    text TEXT COLLATE "C" NOT NULL,
    seq  BIGINT NOT NULL,
    PRIMARY KEY (kind, text, seq)
);

-- Up to which entry it is filled.
CREATE TABLE audit_indexed (
    id  BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL CHECK (seq >= 0)
);

INSERT INTO audit_indexed (id, seq) VALUES (1, 0);

-- used in: list_audit (by kind of resource), (by namespace), (by outcome)
CREATE INDEX audit_entries_resource_kind ON audit_entries (resource_kind, seq);
CREATE INDEX audit_entries_namespace ON audit_entries (namespace, seq);
CREATE INDEX audit_entries_not_done ON audit_entries (outcome, seq) WHERE outcome <> 'done';

CREATE TABLE audit_views (
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name     TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    query    TEXT COLLATE "C" NOT NULL CHECK (length(query) <= 2000),
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, name)
);
