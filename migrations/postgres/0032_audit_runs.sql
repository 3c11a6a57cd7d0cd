-- Entries of the audit log are found by the run that they belong to, and by its risk. Named searches can be shared.
--
-- The index is made again from the entries, so that those from before are found by it as well.

TRUNCATE audit_words;

DROP TABLE audit_marks;

CREATE TABLE audit_marks (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('policy', 'address', 'credential', 'run', 'risk')),
    text TEXT COLLATE "C" NOT NULL,
    seq  BIGINT NOT NULL,
    PRIMARY KEY (kind, text, seq)
);

UPDATE audit_indexed SET seq = 0;

ALTER TABLE audit_views ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;

-- used in: shared_audit_views
CREATE INDEX audit_views_shared ON audit_views (name, user_id) WHERE shared;

-- used in: list_audit (by group of actions)
CREATE INDEX audit_entries_area ON audit_entries ((split_part(action, '.', 1)), seq);

-- used in: list_audit (by time), which asks for places. Those of SQLite have them anyway.
DROP INDEX audit_entries_at;
CREATE INDEX audit_entries_at ON audit_entries (at, seq);
