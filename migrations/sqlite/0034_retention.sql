-- Entries of the audit log that are kept elsewhere, and what must not go there yet.
--
-- An entry that was archived keeps its place, its time and the name of its segment; its hash stays in the tree. Everything else
-- that it said is in the segment, a file beside the database.

CREATE TABLE audit_segments (
    number      INTEGER PRIMARY KEY CHECK (number > 0),
    name        TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    class       TEXT NOT NULL CHECK (class IN ('reading', 'access', 'decision', 'change')),
    first       INTEGER NOT NULL CHECK (first > 0),
    last        INTEGER NOT NULL CHECK (last >= first),
    entries     INTEGER NOT NULL CHECK (entries BETWEEN 1 AND 5000),
    -- The places of its entries: `1-3 7 9-12`.
    places      TEXT NOT NULL,
    bytes       INTEGER NOT NULL CHECK (bytes > 0),
    sha256      TEXT NOT NULL CHECK (length(sha256) = 64),
    archived_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_segments_are_fixed BEFORE UPDATE ON audit_segments
BEGIN
    SELECT RAISE(ABORT, 'audit_segments: rows never change');
END;
CREATE TRIGGER audit_segments_stay BEFORE DELETE ON audit_segments
BEGIN
    SELECT RAISE(ABORT, 'audit_segments: rows are never deleted');
END;

-- The segment that an archived entry is in.
ALTER TABLE audit_entries ADD COLUMN segment TEXT REFERENCES audit_segments (name);

-- used in: has_archived
CREATE INDEX audit_entries_archived ON audit_entries (at) WHERE segment IS NOT NULL;

-- All that may ever change: values that name people are taken away, and with them what is searched by; or the row is emptied, when
-- it is archived.
DROP TRIGGER audit_entries_are_fixed;
CREATE TRIGGER audit_entries_are_fixed BEFORE UPDATE ON audit_entries
WHEN NOT (
    OLD.segment IS NULL AND NEW.segment IS NOT NULL AND NEW.body = '' AND NEW.personal IS NULL
    AND NEW.seq = OLD.seq AND NEW.at = OLD.at AND NEW.outcome = OLD.outcome
    AND NEW.actor_id IS NULL AND NEW.actor = '' AND NEW.action = '' AND NEW.namespace IS NULL
    AND NEW.resource_kind = '' AND NEW.resource_id = '' AND NEW.resource_name = ''
) AND (
    OLD.personal IS NULL OR NEW.personal IS OLD.personal
    OR NEW.actor NOT IN (OLD.actor, '') OR NEW.resource_name NOT IN (OLD.resource_name, '')
    OR NEW.seq IS NOT OLD.seq OR NEW.at IS NOT OLD.at OR NEW.actor_id IS NOT OLD.actor_id
    OR NEW.action IS NOT OLD.action OR NEW.resource_kind IS NOT OLD.resource_kind
    OR NEW.resource_id IS NOT OLD.resource_id OR NEW.namespace IS NOT OLD.namespace
    OR NEW.outcome IS NOT OLD.outcome OR NEW.body IS NOT OLD.body OR NEW.segment IS NOT OLD.segment
    OR EXISTS (SELECT 1 FROM json_each(NEW.personal) kept WHERE NOT EXISTS
        (SELECT 1 FROM json_each(OLD.personal) known WHERE known.key = kept.key AND known.value = kept.value))
)
BEGIN
    SELECT RAISE(ABORT, 'audit_entries: rows never change');
END;

-- used in: archive_audit
CREATE INDEX audit_controls_seq ON audit_controls (seq);

CREATE TABLE audit_holds (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    reason         TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    -- What it covers: all that is said here together; without any of it, the whole log.
    namespace      TEXT,
    person         TEXT,
    resource_kind  TEXT,
    resource_id    TEXT,
    from_at        INTEGER,
    to_at          INTEGER,
    placed_by      TEXT NOT NULL REFERENCES users (id),
    placed_at      INTEGER NOT NULL,
    released_by    TEXT REFERENCES users (id),
    released_at    INTEGER,
    release_reason TEXT CHECK (length(release_reason) BETWEEN 1 AND 500),
    CHECK ((resource_kind IS NULL) = (resource_id IS NULL)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)),
    CHECK ((released_by IS NULL) = (release_reason IS NULL))
) STRICT, WITHOUT ROWID;

-- used in: the check of references when a person is removed
CREATE INDEX audit_holds_placed_by ON audit_holds (placed_by);
-- used in: the check of references when a person is removed
CREATE INDEX audit_holds_released_by ON audit_holds (released_by) WHERE released_by IS NOT NULL;

CREATE TRIGGER audit_holds_are_released_once BEFORE UPDATE ON audit_holds
WHEN OLD.released_by IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'audit_holds: a hold that was released never changes');
END;
CREATE TRIGGER audit_holds_stay BEFORE DELETE ON audit_holds
BEGIN
    SELECT RAISE(ABORT, 'audit_holds: rows are never deleted');
END;

-- Who archives, and how it goes.
CREATE TABLE audit_archiving (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    holder        TEXT,
    held_until    INTEGER,
    succeeded_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK ((holder IS NULL) = (held_until IS NULL))
) STRICT;

INSERT INTO audit_archiving (id) VALUES (1);
