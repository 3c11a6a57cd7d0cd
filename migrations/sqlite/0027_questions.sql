-- Questions of auditors: the log with what its entries say in columns, and who has which question answered every so often.

-- The log as questions read it. What it takes from the hashed body is absent where that was altered and cannot be read: one
-- such entry hides no others.
CREATE VIEW audit_log AS
SELECT seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome,
       CASE WHEN json_valid(body) THEN body ->> '$.address' END AS address,
       CASE WHEN json_valid(body) THEN body ->> '$.detail.emergency' END AS emergency_id,
       CASE WHEN json_valid(body) THEN body ->> '$.detail.tests' END AS tests
FROM audit_entries;

CREATE TABLE audit_subscriptions (
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    question TEXT NOT NULL CHECK (length(question) BETWEEN 1 AND 100),
    every    TEXT NOT NULL CHECK (every IN ('day', 'week', 'month')),
    since    INTEGER NOT NULL,
    -- Up to here it was answered.
    answered INTEGER NOT NULL,
    -- When it is answered next.
    due_at   INTEGER NOT NULL CHECK (due_at > answered),
    PRIMARY KEY (user_id, question)
) STRICT, WITHOUT ROWID;

-- used in: due_subscription
CREATE INDEX audit_subscriptions_due ON audit_subscriptions (due_at, user_id, question);

-- used in: questions about decisions
CREATE INDEX decisions_decided_at ON decisions (decided_at);
