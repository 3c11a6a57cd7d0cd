-- Entries of the audit log are found by the run that they belong to, and by its risk. Named searches can be shared.
--
-- The index is made again from the entries, so that those from before are found by it as well.

INSERT INTO audit_words (audit_words) VALUES ('delete-all');

DROP TABLE audit_marks;

CREATE TABLE audit_marks (
    kind TEXT NOT NULL CHECK (kind IN ('policy', 'address', 'credential', 'run', 'risk')),
    text TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (kind, text, seq)
) STRICT, WITHOUT ROWID;

UPDATE audit_indexed SET seq = 0;

ALTER TABLE audit_views ADD COLUMN shared INTEGER NOT NULL DEFAULT 0 CHECK (shared IN (0, 1));

-- used in: shared_audit_views
CREATE INDEX audit_views_shared ON audit_views (name, user_id) WHERE shared;

-- used in: list_audit (by group of actions)
CREATE INDEX audit_entries_area ON audit_entries (substr(action, 1, instr(action || '.', '.') - 1), seq);
