-- Witnesses of the audit log: what they have cosigned, and how far each is.
--
-- Which witnesses these are stands in the configuration of the server; a row is made when one is met for the first time.

CREATE TABLE audit_witnesses (
    name          TEXT COLLATE "C" PRIMARY KEY,
    -- It has cosigned the checkpoint over so many entries; 0 if none.
    size          BIGINT NOT NULL CHECK (size >= 0),
    succeeded_at  BIGINT,
    failing_since BIGINT,
    failure       TEXT COLLATE "C",
    -- Since when it says that the log has not grown from what it has cosigned.
    refused_at    BIGINT,
    -- The node that asks, and until when it is alone in that.
    holder        TEXT COLLATE "C",
    held_until    BIGINT,
    CHECK ((failing_since IS NULL) = (failure IS NULL)),
    CHECK (refused_at IS NULL OR failing_since IS NOT NULL),
    CHECK ((holder IS NULL) = (held_until IS NULL))
);

CREATE TABLE audit_cosignatures (
    size    BIGINT NOT NULL REFERENCES audit_checkpoints (size),
    -- The public key of the witness.
    witness TEXT COLLATE "C" NOT NULL,
    -- The line of the note.
    line    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (size, witness)
);

CREATE TRIGGER audit_cosignatures_are_fixed BEFORE UPDATE ON audit_cosignatures FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_cosignatures: rows never change');
CREATE TRIGGER audit_cosignatures_stay BEFORE DELETE ON audit_cosignatures FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_cosignatures: rows are never deleted');
CREATE TRIGGER audit_cosignatures_not_truncated BEFORE TRUNCATE ON audit_cosignatures FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_cosignatures: rows are never deleted');
