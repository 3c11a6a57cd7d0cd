-- What entries of the audit log are found by beyond their columns, and searches that people have named.
--
-- The index is filled after the entries have their places, those from before included; it is no part of what is signed, and
-- could be made again from the entries.

CREATE VIRTUAL TABLE audit_words USING fts5(words, content='', tokenize='unicode61 remove_diacritics 0');

CREATE TABLE audit_marks (
    kind TEXT NOT NULL CHECK (kind IN ('policy', 'address', 'credential')),
    text TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (kind, text, seq)
) STRICT, WITHOUT ROWID;

-- Up to which entry it is filled.
CREATE TABLE audit_indexed (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;

INSERT INTO audit_indexed (id, seq) VALUES (1, 0);

-- used in: list_audit (by kind of resource), (by namespace), (by outcome)
CREATE INDEX audit_entries_resource_kind ON audit_entries (resource_kind, seq);
CREATE INDEX audit_entries_namespace ON audit_entries (namespace, seq);
CREATE INDEX audit_entries_not_done ON audit_entries (outcome, seq) WHERE outcome <> 'done';

CREATE TABLE audit_views (
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name     TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    query    TEXT NOT NULL CHECK (length(query) <= 2000),
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
