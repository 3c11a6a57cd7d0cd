-- The audit log as a tree (RFC 6962) that is signed from time to time.
--
-- The hash of an entry is one of its body alone; what links entries to each other is the tree. The entries that there are
-- already get their places in it when the sequencer runs next.

ALTER TABLE audit_entries DROP COLUMN hash;
ALTER TABLE audit_head DROP COLUMN hash;

-- Hashes that stand beside each other in the tree: up to 256, of 64 hexadecimal digits each.
CREATE TABLE audit_tiles (
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    place  INTEGER NOT NULL CHECK (place >= 0),
    hashes TEXT NOT NULL CHECK (length(hashes) BETWEEN 64 AND 16384 AND length(hashes) % 64 = 0),
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_tiles_only_grow BEFORE UPDATE ON audit_tiles
WHEN NEW.level <> OLD.level OR NEW.place <> OLD.place OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
BEGIN
    SELECT RAISE(ABORT, 'audit_tiles: the tree only grows');
END;
CREATE TRIGGER audit_tiles_stay BEFORE DELETE ON audit_tiles
BEGIN
    SELECT RAISE(ABORT, 'audit_tiles: rows are never deleted');
END;

CREATE TABLE audit_keys (
    id           TEXT PRIMARY KEY,
    number       INTEGER NOT NULL UNIQUE CHECK (number > 0),
    public       TEXT NOT NULL,
    sealed       TEXT NOT NULL,
    -- A note of the key before, which says that this one follows it.
    introduction TEXT,
    created_at   INTEGER NOT NULL,
    CHECK ((introduction IS NULL) = (number = 1))
) STRICT;

CREATE TRIGGER audit_keys_are_fixed BEFORE UPDATE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'audit_keys: rows never change');
END;
CREATE TRIGGER audit_keys_stay BEFORE DELETE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'audit_keys: rows are never deleted');
END;

CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    at   INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_checkpoints_are_fixed BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'audit_checkpoints: rows never change');
END;
CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'audit_checkpoints: rows are never deleted');
END;
