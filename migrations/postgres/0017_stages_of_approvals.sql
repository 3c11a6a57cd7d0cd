-- Approvals in stages, what approvers fill in and narrow, questions, input that is sent again, owners of connections.

-- The stage that is asked, and whether the requester can send other input.
ALTER TABLE approvals ADD COLUMN stage BIGINT NOT NULL DEFAULT 0 CHECK (stage >= 0);
ALTER TABLE approvals ADD COLUMN returnable BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE approval_approvers ADD COLUMN stage BIGINT NOT NULL DEFAULT 0 CHECK (stage >= 0);
ALTER TABLE approval_approvers ALTER COLUMN stage DROP DEFAULT;
ALTER TABLE approval_approvers DROP CONSTRAINT approval_approvers_pkey;
ALTER TABLE approval_approvers ADD PRIMARY KEY (approval_id, stage, user_id);
DROP INDEX approval_approvers_user;
-- used in: list_approvals, count_waiting_for, the visibility of runs
CREATE INDEX approval_approvers_user ON approval_approvers (user_id, approval_id, stage);

ALTER TABLE decisions ADD COLUMN stage BIGINT NOT NULL DEFAULT 0 CHECK (stage >= 0);
ALTER TABLE decisions ALTER COLUMN stage DROP DEFAULT;
ALTER TABLE decisions ADD COLUMN filled_in TEXT;
ALTER TABLE decisions ADD COLUMN narrowed TEXT;
ALTER TABLE decisions DROP CONSTRAINT decisions_approval_id_user_id_key;
ALTER TABLE decisions ADD UNIQUE (approval_id, stage, user_id);
ALTER TABLE decisions DROP CONSTRAINT decisions_kind_check;
ALTER TABLE decisions ADD CHECK (kind IN ('approve', 'reject', 'request-changes', 'narrow'));
ALTER TABLE decisions ADD CHECK ((kind = 'narrow') = (narrowed IS NOT NULL));

-- Questions about an approval, and answers.
CREATE TABLE approval_remarks (
    id          TEXT COLLATE "C" PRIMARY KEY,
    approval_id TEXT COLLATE "C" NOT NULL REFERENCES approvals (id),
    answers     TEXT COLLATE "C" REFERENCES approval_remarks (id),
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    text        TEXT NOT NULL,
    made_at     BIGINT NOT NULL
);

-- used in: remarks_of_run
CREATE INDEX approval_remarks_approval ON approval_remarks (approval_id, made_at, id);
-- used in: the check of references when a person is removed
CREATE INDEX approval_remarks_user ON approval_remarks (user_id);

-- What was asked and answered stays as it was.
CREATE TRIGGER approval_remarks_are_fixed BEFORE UPDATE ON approval_remarks FOR EACH ROW EXECUTE FUNCTION refuse_change('approval_remarks: rows never change');
CREATE TRIGGER approval_remarks_stay BEFORE DELETE ON approval_remarks FOR EACH ROW EXECUTE FUNCTION refuse_change('approval_remarks: rows are never deleted');
CREATE TRIGGER approval_remarks_not_truncated BEFORE TRUNCATE ON approval_remarks FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('approval_remarks: rows are never deleted');

-- The approval in which somebody asked for changes of what the draft holds.
ALTER TABLE drafts ADD COLUMN approval_id TEXT COLLATE "C" REFERENCES approvals (id);
-- used in: draft_of_approval
CREATE UNIQUE INDEX drafts_approval ON drafts (approval_id) WHERE approval_id IS NOT NULL;

-- Who answers for a connection.
ALTER TABLE connections ADD COLUMN owner_user_id TEXT COLLATE "C" REFERENCES users (id);
ALTER TABLE connections ADD COLUMN owner_team_id TEXT COLLATE "C" REFERENCES teams (id) ON DELETE SET NULL;
ALTER TABLE connections ADD CHECK (owner_user_id IS NULL OR owner_team_id IS NULL);
-- used in: the check of references when a person or a team is removed
CREATE INDEX connections_owner_user ON connections (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE INDEX connections_owner_team ON connections (owner_team_id) WHERE owner_team_id IS NOT NULL;
