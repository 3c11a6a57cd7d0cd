-- Policies that administrators write beside those of the program, and what policies were lately asked.

CREATE TABLE policy_sets (
    version    INTEGER PRIMARY KEY CHECK (version > 0),
    state      TEXT NOT NULL CHECK (state IN ('proposed', 'active', 'replaced', 'withdrawn')),
    source     TEXT NOT NULL,
    note       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    -- What was in force when it was written; none for the program's own policies alone.
    based_on   INTEGER REFERENCES policy_sets (version) CHECK (based_on < version),
    changed_at INTEGER NOT NULL,
    -- Who put it into force, or took it back.
    settled_by TEXT REFERENCES users (id),
    settled_at INTEGER,
    CHECK ((state = 'proposed') = (settled_by IS NULL) AND (settled_by IS NULL) = (settled_at IS NULL))
) STRICT;

-- used in: active_policy_set; no more than one is in force
CREATE UNIQUE INDEX policy_sets_active ON policy_sets (state) WHERE state = 'active';
-- used in: the check of references
CREATE INDEX policy_sets_based_on ON policy_sets (based_on) WHERE based_on IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX policy_sets_settled_by ON policy_sets (settled_by) WHERE settled_by IS NOT NULL;

-- What was reviewed is what is in force, and what was in force is never forgotten.
CREATE TRIGGER policy_sets_text_is_fixed BEFORE UPDATE ON policy_sets
WHEN NEW.version IS NOT OLD.version OR (OLD.state <> 'proposed' OR NEW.state <> 'proposed')
  AND (NEW.source IS NOT OLD.source OR NEW.note IS NOT OLD.note OR NEW.digest IS NOT OLD.digest
    OR NEW.based_on IS NOT OLD.based_on OR NEW.changed_at IS NOT OLD.changed_at)
BEGIN
    SELECT RAISE(ABORT, 'policy_sets: only a proposal changes');
END;
CREATE TRIGGER policy_sets_move_along BEFORE UPDATE ON policy_sets
WHEN OLD.state || ' ' || NEW.state NOT IN
  ('proposed proposed', 'proposed active', 'proposed withdrawn', 'active replaced')
BEGIN
    SELECT RAISE(ABORT, 'policy_sets: a set moves from proposed to active or withdrawn, and is replaced from there');
END;
CREATE TRIGGER policy_sets_stay BEFORE DELETE ON policy_sets
BEGIN
    SELECT RAISE(ABORT, 'policy_sets: rows are never deleted');
END;

-- Everybody who has changed a proposal.
CREATE TABLE policy_set_authors (
    version INTEGER NOT NULL REFERENCES policy_sets (version),
    user_id TEXT NOT NULL REFERENCES users (id),
    since   INTEGER NOT NULL,
    PRIMARY KEY (version, user_id)
) STRICT;

-- used in: the check of references when a person is removed
CREATE INDEX policy_set_authors_user ON policy_set_authors (user_id);

-- An author stays one: who wrote policies never puts them into force.
CREATE TRIGGER policy_set_authors_are_fixed BEFORE UPDATE ON policy_set_authors
BEGIN
    SELECT RAISE(ABORT, 'policy_set_authors: rows never change');
END;
CREATE TRIGGER policy_set_authors_stay BEFORE DELETE ON policy_set_authors
BEGIN
    SELECT RAISE(ABORT, 'policy_set_authors: rows are never deleted');
END;

-- What policies were lately asked, each question once, to put it to other policies.
CREATE TABLE asked_questions (
    -- The hex SHA-256 of the question.
    digest   TEXT PRIMARY KEY,
    question TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    times    INTEGER NOT NULL CHECK (times > 0)
) STRICT;

-- used in: latest_questions, prune_questions
CREATE INDEX asked_questions_latest ON asked_questions (asked_at DESC, digest);
