-- Questions of auditors: the log with what its entries say in columns, and who has which question answered every so often.

-- What a body says; nothing where it was altered and cannot be read.
CREATE FUNCTION readable_json(body TEXT) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN body::json;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END;
$$;

-- The log as questions read it. What it takes from the hashed body is absent where that was altered and cannot be read: one
-- such entry hides no others.
CREATE VIEW audit_log AS
SELECT seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome,
       (readable_json(body) ->> 'address') COLLATE "C" AS address,
       (readable_json(body) #>> '{detail,emergency}') COLLATE "C" AS emergency_id,
       CASE WHEN readable_json(body) #>> '{detail,tests}' ~ '^[0-9]{1,15}$'
            THEN CAST(readable_json(body) #>> '{detail,tests}' AS BIGINT) END AS tests
FROM audit_entries;

CREATE TABLE audit_subscriptions (
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    question TEXT COLLATE "C" NOT NULL CHECK (length(question) BETWEEN 1 AND 100),
    every    TEXT COLLATE "C" NOT NULL CHECK (every IN ('day', 'week', 'month')),
    since    BIGINT NOT NULL,
    -- Up to here it was answered.
    answered BIGINT NOT NULL,
    -- When it is answered next.
    due_at   BIGINT NOT NULL CHECK (due_at > answered),
    PRIMARY KEY (user_id, question)
);

-- used in: due_subscription
CREATE INDEX audit_subscriptions_due ON audit_subscriptions (due_at, user_id, question);

-- used in: questions about decisions
CREATE INDEX decisions_decided_at ON decisions (decided_at);
