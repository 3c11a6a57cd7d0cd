-- Entries of the audit log that wait for their place in it.
--
-- An entry is written in the unit of work of what it tells of, here; a sequencer gives it its place and links it to the
-- one before. So no unit waits for another one at the end of the log.

CREATE TABLE audit_queue (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Who left a trace stays (delete_user), from the first moment on.
    actor_id TEXT,
    entry    TEXT NOT NULL
) STRICT;

-- used in: delete_user
CREATE INDEX audit_queue_actor_id ON audit_queue (actor_id) WHERE actor_id IS NOT NULL;

CREATE TRIGGER audit_queue_is_fixed BEFORE UPDATE ON audit_queue
BEGIN
    SELECT RAISE(ABORT, 'audit_queue: rows never change');
END;

-- Many entries find their place at once.
DROP TRIGGER audit_head_only_grows;
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head
WHEN NEW.seq <= OLD.seq
BEGIN
    SELECT RAISE(ABORT, 'audit_head: the log only grows');
END;
