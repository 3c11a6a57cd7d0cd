-- What names people stands beside the hashed body of an entry, and can be taken away.

-- Values by their places in the entry, each with the key of its digest in the body.
ALTER TABLE audit_entries ADD COLUMN personal TEXT COLLATE "C";

-- All that may ever change: values are taken away, and with them what is searched by.
CREATE FUNCTION refuse_all_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.personal IS NULL OR NEW.personal IS NOT DISTINCT FROM OLD.personal
        OR NEW.actor NOT IN (OLD.actor, '') OR NEW.resource_name NOT IN (OLD.resource_name, '')
        OR (NEW.seq, NEW.at, NEW.actor_id, NEW.action, NEW.resource_kind, NEW.resource_id, NEW.namespace, NEW.outcome, NEW.body)
           IS DISTINCT FROM
           (OLD.seq, OLD.at, OLD.actor_id, OLD.action, OLD.resource_kind, OLD.resource_id, OLD.namespace, OLD.outcome, OLD.body)
        OR EXISTS (SELECT 1 FROM json_each_text(NEW.personal::json) kept WHERE NOT EXISTS
            (SELECT 1 FROM json_each_text(OLD.personal::json) known WHERE known.key = kept.key AND known.value = kept.value))
    THEN
        RAISE EXCEPTION 'audit_entries: rows never change';
    END IF;
    RETURN NEW;
END;
$$;
DROP TRIGGER audit_entries_are_fixed ON audit_entries;
CREATE TRIGGER audit_entries_are_fixed BEFORE UPDATE ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_all_but_erasure();

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
