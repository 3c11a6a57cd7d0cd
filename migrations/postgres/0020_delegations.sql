-- Substitutes: who decides for whom, from when until when; and approvals that outlive those whom they ask.

CREATE TABLE delegations (
    id            TEXT COLLATE "C" PRIMARY KEY,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    substitute_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) CHECK (substitute_id <> user_id),
    -- '*', a namespace, or a workflow as namespace/name.
    scope         TEXT COLLATE "C" NOT NULL,
    reason        TEXT NOT NULL,
    starts_at     BIGINT NOT NULL,
    ends_at       BIGINT NOT NULL CHECK (ends_at > starts_at),
    created_at    BIGINT NOT NULL,
    revoked_by    TEXT COLLATE "C" REFERENCES users (id),
    revoked_at    BIGINT,
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);

-- used in: delegations_about, substitutes_in
CREATE INDEX delegations_user ON delegations (user_id, created_at);
-- used in: delegations_about, represented_by
CREATE INDEX delegations_substitute ON delegations (substitute_id, created_at);
-- used in: the check of references when a person is removed
CREATE INDEX delegations_revoked_by ON delegations (revoked_by) WHERE revoked_by IS NOT NULL;

-- Decisions were taken by it, so it stays what it was; it is only revoked, once.
CREATE TRIGGER delegations_are_fixed BEFORE UPDATE ON delegations FOR EACH ROW
WHEN (OLD.revoked_at IS NOT NULL OR NEW.id IS DISTINCT FROM OLD.id OR NEW.user_id IS DISTINCT FROM OLD.user_id
  OR NEW.substitute_id IS DISTINCT FROM OLD.substitute_id OR NEW.scope IS DISTINCT FROM OLD.scope OR NEW.reason IS DISTINCT FROM OLD.reason
  OR NEW.starts_at IS DISTINCT FROM OLD.starts_at OR NEW.ends_at IS DISTINCT FROM OLD.ends_at OR NEW.created_at IS DISTINCT FROM OLD.created_at)
EXECUTE FUNCTION refuse_change('delegations: rows are only revoked');
CREATE TRIGGER delegations_stay BEFORE DELETE ON delegations FOR EACH ROW EXECUTE FUNCTION refuse_change('delegations: rows are never deleted');
CREATE TRIGGER delegations_not_truncated BEFORE TRUNCATE ON delegations FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('delegations: rows are never deleted');

-- Whose vote it is, where that is not who decided.
ALTER TABLE decisions ADD COLUMN on_behalf_of TEXT COLLATE "C" REFERENCES users (id) CHECK (on_behalf_of <> user_id);

-- Of several substitutes of one person one votes.
CREATE UNIQUE INDEX decisions_on_behalf_of ON decisions (approval_id, stage, on_behalf_of) WHERE on_behalf_of IS NOT NULL;
-- used in: the visibility of runs
CREATE INDEX decisions_substitute ON decisions (user_id, approval_id) WHERE on_behalf_of IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX decisions_represented ON decisions (on_behalf_of) WHERE on_behalf_of IS NOT NULL;

-- Who changed what is asked about, and is not asked therefore.
ALTER TABLE approvals ADD COLUMN changed_by TEXT COLLATE "C" REFERENCES users (id);

-- used in: the check of references when a person is removed
CREATE INDEX approvals_changed_by ON approvals (changed_by) WHERE changed_by IS NOT NULL;

-- As of which change of a disabled person somebody else was looked for.
ALTER TABLE approval_approvers ADD COLUMN left_at BIGINT;
-- Asked since others have left: they do not change how many are needed.
ALTER TABLE approval_approvers ADD COLUMN later BOOLEAN NOT NULL DEFAULT FALSE;
