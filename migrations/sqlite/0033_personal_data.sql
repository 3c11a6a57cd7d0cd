-- What names people stands beside the hashed body of an entry, and can be taken away.

-- Values by their places in the entry, each with the key of its digest in the body.
ALTER TABLE audit_entries ADD COLUMN personal TEXT;

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
