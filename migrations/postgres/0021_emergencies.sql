-- Emergency access: a role for a few hours that two people agree on, and a third looks at afterwards.

CREATE TABLE emergencies (
    id           TEXT COLLATE "C" PRIMARY KEY,
    -- Who asks for the role, and holds it.
    person_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    role         TEXT COLLATE "C" NOT NULL CHECK (role IN ('approver', 'operator', 'publisher')),
    scope        TEXT COLLATE "C" NOT NULL CHECK (length(scope) BETWEEN 1 AND 200),
    reason       TEXT NOT NULL,
    minutes      BIGINT NOT NULL CHECK (minutes BETWEEN 1 AND 240),
    asked_at     BIGINT NOT NULL,
    confirmed_by TEXT COLLATE "C" REFERENCES users (id),
    confirmed_at BIGINT,
    ends_at      BIGINT,
    -- Who ended it before its time, or let it come to nothing.
    ended_by     TEXT COLLATE "C" REFERENCES users (id),
    ended_at     BIGINT,
    reviewed_by  TEXT COLLATE "C" REFERENCES users (id),
    reviewed_at  BIGINT,
    review       TEXT NOT NULL,
    CHECK (confirmed_by IS NULL OR confirmed_by <> person_id),
    CHECK (reviewed_by IS NULL OR (confirmed_by IS NOT NULL AND reviewed_by <> person_id AND reviewed_by <> confirmed_by)),
    CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL) AND (confirmed_by IS NULL) = (ends_at IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL) AND (reviewed_by IS NULL) = (reviewed_at IS NULL))
);

-- used in: list_emergencies
CREATE INDEX emergencies_asked ON emergencies (asked_at DESC, id DESC);
-- used in: open_emergencies
CREATE INDEX emergencies_open ON emergencies (asked_at, id) WHERE reviewed_at IS NULL AND (ended_at IS NULL OR confirmed_at IS NOT NULL);
-- used in: the check of references when a person is removed
CREATE INDEX emergencies_person ON emergencies (person_id);
-- used in: the check of references when a person is removed
CREATE INDEX emergencies_confirmed_by ON emergencies (confirmed_by) WHERE confirmed_by IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX emergencies_ended_by ON emergencies (ended_by) WHERE ended_by IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX emergencies_reviewed_by ON emergencies (reviewed_by) WHERE reviewed_by IS NOT NULL;

-- What was asked for, agreed on and found stays as it was said.
CREATE TRIGGER emergencies_go_forward BEFORE UPDATE ON emergencies FOR EACH ROW
WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.role IS DISTINCT FROM OLD.role
  OR NEW.scope IS DISTINCT FROM OLD.scope OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.minutes IS DISTINCT FROM OLD.minutes
  OR NEW.asked_at IS DISTINCT FROM OLD.asked_at
  OR (OLD.confirmed_at IS NOT NULL
      AND (NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at OR NEW.confirmed_by IS DISTINCT FROM OLD.confirmed_by))
  OR (OLD.ends_at IS NOT NULL AND (NEW.ends_at IS NULL OR NEW.ends_at > OLD.ends_at))
  OR OLD.reviewed_at IS NOT NULL)
EXECUTE FUNCTION refuse_change('emergencies: what was said stays');
CREATE TRIGGER emergencies_stay BEFORE DELETE ON emergencies FOR EACH ROW EXECUTE FUNCTION refuse_change('emergencies: rows are never deleted');
CREATE TRIGGER emergencies_not_truncated BEFORE TRUNCATE ON emergencies FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('emergencies: rows are never deleted');

-- The grant that gives the role of an emergency.
ALTER TABLE grants ADD COLUMN emergency_id TEXT COLLATE "C" REFERENCES emergencies (id);
-- used in: the check of references when an emergency is changed
CREATE INDEX grants_emergency ON grants (emergency_id) WHERE emergency_id IS NOT NULL;
