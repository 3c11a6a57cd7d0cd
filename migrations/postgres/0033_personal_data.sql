-- What names people stands beside the hashed body of an entry, and can be taken away.

-- Values by their places in the entry, each with the key of its digest in the body.
ALTER TABLE audit_entries ADD COLUMN personal TEXT COLLATE "C";

-- The address of an entry stands beside its body now.
DROP VIEW audit_log;
CREATE VIEW audit_log AS
SELECT seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome,
       COALESCE(readable_json(personal) #>> '{/address,value}', readable_json(body) ->> 'address') COLLATE "C" AS address,
       (readable_json(body) #>> '{detail,emergency}') COLLATE "C" AS emergency_id,
       CASE WHEN readable_json(body) #>> '{detail,tests}' ~ '^[0-9]{1,15}$'
            THEN CAST(readable_json(body) #>> '{detail,tests}' AS BIGINT) END AS tests
FROM audit_entries;

-- Who was erased, or is being erased.
CREATE TABLE erasures (
    user_id  TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id),
    -- The texts that are looked for where an entry does not say whom it names, as JSON; none once the end is reached and nothing
    -- is held.
    texts    TEXT COLLATE "C",
    -- Up to which entry.
    seq      BIGINT NOT NULL CHECK (seq >= 0),
    -- Up to which segment of archived entries.
    segment  BIGINT NOT NULL CHECK (segment >= 0),
    -- In how many entries something was taken away.
    entries  BIGINT NOT NULL CHECK (entries >= 0),
    -- In how many something stays while holds cover them.
    held     BIGINT NOT NULL CHECK (held >= 0),
    begun_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK ((texts IS NULL) = (ended_at IS NOT NULL AND held = 0))
);

-- used in: open_erasure
CREATE INDEX erasures_open ON erasures (begun_at, user_id) WHERE ended_at IS NULL;
-- used in: resume_erasures
CREATE INDEX erasures_held ON erasures (user_id) WHERE held > 0;
