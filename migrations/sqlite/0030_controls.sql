-- Which controls the versions of definitions name, and which entries of the audit log belong to a control.
--
-- All of it follows from the definitions, the runs and the log, is filled behind them, and could be made again.

-- Versions whose text was read for the controls that it names: once, since a version that has left review does not change.
CREATE TABLE controls_read (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    PRIMARY KEY (namespace, name, version),
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE version_controls (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    control   TEXT NOT NULL CHECK (length(control) BETWEEN 1 AND 100),
    PRIMARY KEY (namespace, name, version, control),
    FOREIGN KEY (namespace, name, version) REFERENCES controls_read (namespace, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_controls (
    control TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (control, seq)
) STRICT, WITHOUT ROWID;

-- Up to which entry it is filled.
CREATE TABLE audit_controls_indexed (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;

INSERT INTO audit_controls_indexed (id, seq) VALUES (1, 0);

-- used in: version_runs, runs_of_versions
CREATE INDEX runs_version ON runs (namespace, name, version, created_at, number);
