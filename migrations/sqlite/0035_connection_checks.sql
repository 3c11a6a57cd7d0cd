-- Connections are checked every so often, and since when one fails is kept.

-- Since when its checks fail, without one that worked in between.
ALTER TABLE connections ADD COLUMN failing_since INTEGER;
-- When it is checked next. Whoever checks it puts this off first, and so has the check to itself.
ALTER TABLE connections ADD COLUMN check_due_at INTEGER NOT NULL DEFAULT 0;

-- used in: connections_to_check
CREATE INDEX connections_check_due ON connections (check_due_at, id);
