-- Approvals in stages, what approvers fill in and narrow, questions, input that is sent again, owners of connections.

-- The stage that is asked, and whether the requester can send other input.
ALTER TABLE approvals ADD COLUMN stage INTEGER NOT NULL DEFAULT 0 CHECK (stage >= 0);
ALTER TABLE approvals ADD COLUMN returnable INTEGER NOT NULL DEFAULT 0 CHECK (returnable IN (0, 1));

CREATE TABLE approvers_in_stages (
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    stage       INTEGER NOT NULL CHECK (stage >= 0),
    user_id     TEXT NOT NULL REFERENCES users (id),
    via         TEXT NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (approval_id, stage, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO approvers_in_stages SELECT approval_id, 0, user_id, via, position FROM approval_approvers;
DROP TABLE approval_approvers;
ALTER TABLE approvers_in_stages RENAME TO approval_approvers;

-- used in: list_approvals, count_waiting_for, the visibility of runs
CREATE INDEX approval_approvers_user ON approval_approvers (user_id, approval_id, stage);

CREATE TABLE decisions_in_stages (
    id          TEXT PRIMARY KEY,
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    stage       INTEGER NOT NULL CHECK (stage >= 0),
    user_id     TEXT NOT NULL REFERENCES users (id),
    kind        TEXT NOT NULL CHECK (kind IN ('approve', 'reject', 'request-changes', 'narrow')),
    comment     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    filled_in   TEXT,
    narrowed    TEXT,
    decided_at  INTEGER NOT NULL,
    UNIQUE (approval_id, stage, user_id),
    CHECK ((kind = 'narrow') = (narrowed IS NOT NULL))
) STRICT;
INSERT INTO decisions_in_stages
    SELECT id, approval_id, 0, user_id, kind, comment, digest, NULL, NULL, decided_at FROM decisions;
DROP TABLE decisions;
ALTER TABLE decisions_in_stages RENAME TO decisions;

-- used in: the check of references when a person is removed
CREATE INDEX decisions_user ON decisions (user_id);

-- What was decided stays decided.
CREATE TRIGGER decisions_are_fixed BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions: rows never change');
END;
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions: rows are never deleted');
END;

-- Questions about an approval, and answers.
CREATE TABLE approval_remarks (
    id          TEXT PRIMARY KEY,
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    answers     TEXT REFERENCES approval_remarks (id),
    user_id     TEXT NOT NULL REFERENCES users (id),
    text        TEXT NOT NULL,
    made_at     INTEGER NOT NULL
) STRICT;

-- used in: remarks_of_run
CREATE INDEX approval_remarks_approval ON approval_remarks (approval_id, made_at, id);
-- used in: the check of references when a person is removed
CREATE INDEX approval_remarks_user ON approval_remarks (user_id);

-- What was asked and answered stays as it was.
CREATE TRIGGER approval_remarks_are_fixed BEFORE UPDATE ON approval_remarks
BEGIN
    SELECT RAISE(ABORT, 'approval_remarks: rows never change');
END;
CREATE TRIGGER approval_remarks_stay BEFORE DELETE ON approval_remarks
BEGIN
    SELECT RAISE(ABORT, 'approval_remarks: rows are never deleted');
END;

-- The approval in which somebody asked for changes of what the draft holds.
ALTER TABLE drafts ADD COLUMN approval_id TEXT REFERENCES approvals (id);
-- used in: draft_of_approval
CREATE UNIQUE INDEX drafts_approval ON drafts (approval_id) WHERE approval_id IS NOT NULL;

-- Who answers for a connection.
ALTER TABLE connections ADD COLUMN owner_user_id TEXT REFERENCES users (id);
ALTER TABLE connections ADD COLUMN owner_team_id TEXT REFERENCES teams (id) ON DELETE SET NULL
    CHECK (owner_user_id IS NULL OR owner_team_id IS NULL);
-- used in: the check of references when a person or a team is removed
CREATE INDEX connections_owner_user ON connections (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE INDEX connections_owner_team ON connections (owner_team_id) WHERE owner_team_id IS NOT NULL;
