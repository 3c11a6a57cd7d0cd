-- The audit log. An entry is linked to the one before by its hash; the head is the one place where the log grows.
--
-- Nothing here is ever changed or deleted, so there is no reference to users: what an entry says of a person must not
-- keep the person's row alive, nor vanish with it. Erasure of personal data will move that data out of the hashed body
-- (a later version of the encoding); it will not lift these triggers.

CREATE TABLE audit_entries (
    seq           INTEGER PRIMARY KEY CHECK (seq > 0),
    at            INTEGER NOT NULL,
    actor_id      TEXT,
    actor         TEXT NOT NULL CHECK (length(actor) <= 500),
    action        TEXT NOT NULL CHECK (length(action) <= 500),
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL CHECK (length(resource_id) <= 500),
    resource_name TEXT NOT NULL CHECK (length(resource_name) <= 500),
    namespace     TEXT,
    outcome       TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    body          TEXT NOT NULL,
    hash          TEXT NOT NULL
) STRICT;

-- used in: delete_user (who left a trace stays)
CREATE INDEX audit_entries_actor_id ON audit_entries (actor_id) WHERE actor_id IS NOT NULL;
-- used in: list_audit (by person)
CREATE INDEX audit_entries_actor ON audit_entries (actor, seq);
-- used in: list_audit (by action)
CREATE INDEX audit_entries_action ON audit_entries (action, seq);
-- used in: list_audit (by resource id)
CREATE INDEX audit_entries_resource ON audit_entries (resource_id, seq);
-- used in: list_audit (by resource name)
CREATE INDEX audit_entries_resource_name ON audit_entries (resource_name, seq);
-- used in: list_audit (by time)
CREATE INDEX audit_entries_at ON audit_entries (at);

CREATE TRIGGER audit_entries_are_fixed BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'audit_entries: rows never change');
END;
CREATE TRIGGER audit_entries_stay BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'audit_entries: rows are never deleted');
END;

CREATE TABLE audit_head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL CHECK (seq >= 0),
    hash TEXT NOT NULL
) STRICT;

INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head
WHEN NEW.seq <> OLD.seq + 1
BEGIN
    SELECT RAISE(ABORT, 'audit_head: the log only grows');
END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'audit_head: the row is never deleted');
END;
