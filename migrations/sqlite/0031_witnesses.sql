-- Witnesses of the audit log: what they have cosigned, and how far each is.
--
-- Which witnesses these are stands in the configuration of the server; a row is made when one is met for the first time.

CREATE TABLE audit_witnesses (
    name          TEXT PRIMARY KEY,
    -- It has cosigned the checkpoint over so many entries; 0 if none.
    size          INTEGER NOT NULL CHECK (size >= 0),
    succeeded_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT,
    -- Since when it says that the log has not grown from what it has cosigned.
    refused_at    INTEGER,
    -- The node that asks, and until when it is alone in that.
    holder        TEXT,
    held_until    INTEGER,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK (refused_at IS NULL OR failing_since IS NOT NULL),
    CHECK ((holder IS NULL) = (held_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_cosignatures (
    size    INTEGER NOT NULL REFERENCES audit_checkpoints (size),
    -- The public key of the witness.
    witness TEXT NOT NULL,
    -- The line of the note.
    line    TEXT NOT NULL,
    PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_cosignatures_are_fixed BEFORE UPDATE ON audit_cosignatures
BEGIN
    SELECT RAISE(ABORT, 'audit_cosignatures: rows never change');
END;
CREATE TRIGGER audit_cosignatures_stay BEFORE DELETE ON audit_cosignatures
BEGIN
    SELECT RAISE(ABORT, 'audit_cosignatures: rows are never deleted');
END;
