-- Who has put data of their own into a run, or into another whose data it has got. They decide nothing in it.

CREATE TABLE run_changes (
    run_id  TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    PRIMARY KEY (run_id, user_id)
);

-- used in: the check of references when a person is removed
CREATE INDEX run_changes_user ON run_changes (user_id);

INSERT INTO run_changes (run_id, user_id)
SELECT DISTINCT run_id, changed_by FROM approvals WHERE changed_by IS NOT NULL;

DROP INDEX approvals_changed_by;
ALTER TABLE approvals DROP COLUMN changed_by;
