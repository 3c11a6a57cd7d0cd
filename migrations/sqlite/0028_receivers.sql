-- How far the audit log has come at each system that it is sent to.
--
-- Which systems these are stands in the configuration of the server; a row is made when one is met for the first time. It
-- stays when the system is taken out of the configuration, so that it goes on where it was if it comes back.

CREATE TABLE audit_receivers (
    name          TEXT PRIMARY KEY,
    -- Delivered up to this entry.
    entries       INTEGER NOT NULL CHECK (entries >= 0),
    -- Delivered up to the checkpoint over so many entries.
    checkpoint    INTEGER CHECK (checkpoint >= 0),
    succeeded_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT,
    -- The node that delivers, and until when it is alone in that.
    holder        TEXT,
    held_until    INTEGER,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK ((holder IS NULL) = (held_until IS NULL))
) STRICT, WITHOUT ROWID;
