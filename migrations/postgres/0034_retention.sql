-- Entries of the audit log that are kept elsewhere, and what must not go there yet.
--
-- An entry that was archived keeps its place, its time and the name of its segment; its hash stays in the tree. Everything else
-- that it said is in the segment, a file beside the database.

CREATE TABLE audit_segments (
    number      BIGINT PRIMARY KEY CHECK (number > 0),
    name        TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    class       TEXT COLLATE "C" NOT NULL CHECK (class IN ('reading', 'access', 'decision', 'change')),
    first       BIGINT NOT NULL CHECK (first > 0),
    last        BIGINT NOT NULL CHECK (last >= first),
    entries     BIGINT NOT NULL CHECK (entries BETWEEN 1 AND 5000),
    -- The places of its entries: `1-3 7 9-12`.
    places      TEXT COLLATE "C" NOT NULL,
    bytes       BIGINT NOT NULL CHECK (bytes > 0),
    sha256      TEXT COLLATE "C" NOT NULL CHECK (length(sha256) = 64),
    archived_at BIGINT NOT NULL
);

CREATE TRIGGER audit_segments_are_fixed BEFORE UPDATE ON audit_segments FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_segments: rows never change');
CREATE TRIGGER audit_segments_stay BEFORE DELETE ON audit_segments FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_segments: rows are never deleted');
CREATE TRIGGER audit_segments_not_truncated BEFORE TRUNCATE ON audit_segments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_segments: rows are never deleted');

-- The segment that an archived entry is in.
ALTER TABLE audit_entries ADD COLUMN segment TEXT COLLATE "C" REFERENCES audit_segments (name);

-- used in: has_archived
CREATE INDEX audit_entries_archived ON audit_entries (at) WHERE segment IS NOT NULL;

-- All that may ever change: values that name people are taken away, and with them what is searched by; or the row is emptied, when
-- it is archived.
CREATE FUNCTION refuse_all_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.personal IS NULL OR NEW.personal IS NOT DISTINCT FROM OLD.personal
        OR NEW.actor NOT IN (OLD.actor, '') OR NEW.resource_name NOT IN (OLD.resource_name, '')
        OR (NEW.seq, NEW.at, NEW.actor_id, NEW.action, NEW.resource_kind, NEW.resource_id, NEW.namespace, NEW.outcome, NEW.body,
            NEW.segment)
           IS DISTINCT FROM
           (OLD.seq, OLD.at, OLD.actor_id, OLD.action, OLD.resource_kind, OLD.resource_id, OLD.namespace, OLD.outcome, OLD.body,
            OLD.segment)
        OR EXISTS (SELECT 1 FROM json_each_text(NEW.personal::json) kept WHERE NOT EXISTS
            (SELECT 1 FROM json_each_text(OLD.personal::json) known WHERE known.key = kept.key AND known.value = kept.value))
    THEN
        RAISE EXCEPTION 'audit_entries: rows never change';
    END IF;
    RETURN NEW;
END;
$$;
DROP TRIGGER audit_entries_are_fixed ON audit_entries;
CREATE TRIGGER audit_entries_are_fixed BEFORE UPDATE ON audit_entries FOR EACH ROW
WHEN (NOT (
    OLD.segment IS NULL AND NEW.segment IS NOT NULL AND NEW.body = '' AND NEW.personal IS NULL
    AND NEW.seq = OLD.seq AND NEW.at = OLD.at AND NEW.outcome = OLD.outcome
    AND NEW.actor_id IS NULL AND NEW.actor = '' AND NEW.action = '' AND NEW.namespace IS NULL
    AND NEW.resource_kind = '' AND NEW.resource_id = '' AND NEW.resource_name = ''
))
EXECUTE FUNCTION refuse_all_but_erasure();

-- used in: archive_audit
CREATE INDEX audit_controls_seq ON audit_controls (seq);

CREATE TABLE audit_holds (
    id             TEXT COLLATE "C" PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    reason         TEXT COLLATE "C" NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    -- What it covers: all that is said here together; without any of it, the whole log.
    namespace      TEXT COLLATE "C",
    person         TEXT COLLATE "C",
    resource_kind  TEXT COLLATE "C",
    resource_id    TEXT COLLATE "C",
    from_at        BIGINT,
    to_at          BIGINT,
    placed_by      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    placed_at      BIGINT NOT NULL,
    released_by    TEXT COLLATE "C" REFERENCES users (id),
    released_at    BIGINT,
    release_reason TEXT COLLATE "C" CHECK (length(release_reason) BETWEEN 1 AND 500),
    CHECK ((resource_kind IS NULL) = (resource_id IS NULL)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)),
    CHECK ((released_by IS NULL) = (release_reason IS NULL))
);

-- used in: the check of references when a person is removed
CREATE INDEX audit_holds_placed_by ON audit_holds (placed_by);
-- used in: the check of references when a person is removed
CREATE INDEX audit_holds_released_by ON audit_holds (released_by) WHERE released_by IS NOT NULL;

CREATE TRIGGER audit_holds_are_released_once BEFORE UPDATE ON audit_holds FOR EACH ROW
WHEN (OLD.released_by IS NOT NULL)
EXECUTE FUNCTION refuse_change('audit_holds: a hold that was released never changes');
CREATE TRIGGER audit_holds_stay BEFORE DELETE ON audit_holds FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_holds: rows are never deleted');
CREATE TRIGGER audit_holds_not_truncated BEFORE TRUNCATE ON audit_holds FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_holds: rows are never deleted');

-- Who archives, and how it goes.
CREATE TABLE audit_archiving (
    id            BIGINT PRIMARY KEY CHECK (id = 1),
    holder        TEXT COLLATE "C",
    held_until    BIGINT,
    succeeded_at  BIGINT,
    failing_since BIGINT,
    failure       TEXT COLLATE "C",
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK ((holder IS NULL) = (held_until IS NULL))
);

INSERT INTO audit_archiving (id) VALUES (1);
