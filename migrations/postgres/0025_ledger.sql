-- The audit log as a tree (RFC 6962) that is signed from time to time.
--
-- The hash of an entry is one of its body alone; what links entries to each other is the tree. The entries that there are
-- already get their places in it when the sequencer runs next.

ALTER TABLE audit_entries DROP COLUMN hash;
ALTER TABLE audit_head DROP COLUMN hash;

-- Hashes that stand beside each other in the tree: up to 256, of 64 hexadecimal digits each.
CREATE TABLE audit_tiles (
    level  BIGINT NOT NULL CHECK (level BETWEEN 0 AND 7),
    place  BIGINT NOT NULL CHECK (place >= 0),
    hashes TEXT COLLATE "C" NOT NULL CHECK (length(hashes) BETWEEN 64 AND 16384 AND length(hashes) % 64 = 0),
    PRIMARY KEY (level, place)
);

CREATE TRIGGER audit_tiles_only_grow BEFORE UPDATE ON audit_tiles FOR EACH ROW
WHEN (NEW.level <> OLD.level OR NEW.place <> OLD.place OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes)
EXECUTE FUNCTION refuse_change('audit_tiles: the tree only grows');
CREATE TRIGGER audit_tiles_stay BEFORE DELETE ON audit_tiles FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_tiles: rows are never deleted');
CREATE TRIGGER audit_tiles_not_truncated BEFORE TRUNCATE ON audit_tiles FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_tiles: rows are never deleted');

CREATE TABLE audit_keys (
    id           TEXT COLLATE "C" PRIMARY KEY,
    number       BIGINT NOT NULL UNIQUE CHECK (number > 0),
    public       TEXT COLLATE "C" NOT NULL,
    sealed       TEXT COLLATE "C" NOT NULL,
    -- A note of the key before, which says that this one follows it.
    introduction TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    CHECK ((introduction IS NULL) = (number = 1))
);

CREATE TRIGGER audit_keys_are_fixed BEFORE UPDATE ON audit_keys FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_keys: rows never change');
CREATE TRIGGER audit_keys_stay BEFORE DELETE ON audit_keys FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_keys: rows are never deleted');
CREATE TRIGGER audit_keys_not_truncated BEFORE TRUNCATE ON audit_keys FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_keys: rows are never deleted');

CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY CHECK (size >= 0),
    at   BIGINT NOT NULL,
    note TEXT COLLATE "C" NOT NULL
);

CREATE TRIGGER audit_checkpoints_are_fixed BEFORE UPDATE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_checkpoints: rows never change');
CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_checkpoints: rows are never deleted');
CREATE TRIGGER audit_checkpoints_not_truncated BEFORE TRUNCATE ON audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_checkpoints: rows are never deleted');
