-- What names people stands beside the hashed body of an entry, and can be taken away.

-- Values by their places in the entry, each with the key of its digest in the body.
ALTER TABLE audit_entries ADD COLUMN personal TEXT;

-- All that may ever change: values are taken away, and with them what is searched by.
DROP TRIGGER audit_entries_are_fixed;
CREATE TRIGGER audit_entries_are_fixed BEFORE UPDATE ON audit_entries
WHEN OLD.personal IS NULL OR NEW.personal IS OLD.personal
    OR NEW.actor NOT IN (OLD.actor, '') OR NEW.resource_name NOT IN (OLD.resource_name, '')
    OR NEW.seq IS NOT OLD.seq OR NEW.at IS NOT OLD.at OR NEW.actor_id IS NOT OLD.actor_id
    OR NEW.action IS NOT OLD.action OR NEW.resource_kind IS NOT OLD.resource_kind
    OR NEW.resource_id IS NOT OLD.resource_id OR NEW.namespace IS NOT OLD.namespace
    OR NEW.outcome IS NOT OLD.outcome OR NEW.body IS NOT OLD.body
    OR EXISTS (SELECT 1 FROM json_each(NEW.personal) kept WHERE NOT EXISTS
        (SELECT 1 FROM json_each(OLD.personal) known WHERE known.key = kept.key AND known.value = kept.value))
BEGIN
    SELECT RAISE(ABORT, 'audit_entries: rows never change');
END;

-- What is deleted from the index leaves its pages.
INSERT INTO audit_words (audit_words, rank) VALUES ('secure-delete', 1);

-- The address of an entry stands beside its body now.
DROP VIEW audit_log;
CREATE VIEW audit_log AS
SELECT seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome,
       COALESCE(CASE WHEN json_valid(personal) THEN personal ->> '$."/address".value' END,
                CASE WHEN json_valid(body) THEN body ->> '$.address' END) AS address,
       CASE WHEN json_valid(body) THEN body ->> '$.detail.emergency' END AS emergency_id,
       CASE WHEN json_valid(body) THEN body ->> '$.detail.tests' END AS tests
FROM audit_entries;

-- Who was erased, or is being erased.
CREATE TABLE erasures (
    user_id  TEXT PRIMARY KEY REFERENCES users (id),
    -- The texts that are looked for where an entry does not say whom it names, as JSON; none once the end is reached and nothing
    -- is held.
    texts    TEXT,
    -- Up to which entry.
    seq      INTEGER NOT NULL CHECK (seq >= 0),
    -- Up to which segment of archived entries.
    segment  INTEGER NOT NULL CHECK (segment >= 0),
    -- In how many entries something was taken away.
    entries  INTEGER NOT NULL CHECK (entries >= 0),
    -- In how many something stays while holds cover them.
    held     INTEGER NOT NULL CHECK (held >= 0),
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK ((texts IS NULL) = (ended_at IS NOT NULL AND held = 0))
) STRICT, WITHOUT ROWID;

-- used in: open_erasure
CREATE INDEX erasures_open ON erasures (begun_at, user_id) WHERE ended_at IS NULL;
-- used in: resume_erasures
CREATE INDEX erasures_held ON erasures (user_id) WHERE held > 0;
