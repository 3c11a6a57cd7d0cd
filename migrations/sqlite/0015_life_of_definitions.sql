-- The life of a definition: drafts whose text still changes, who wrote them, and what reviewers said.

-- Who last saved it or moved it along, and when; none for what ships.
ALTER TABLE workflow_versions ADD COLUMN changed_by TEXT REFERENCES users (id);
ALTER TABLE workflow_versions ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE workflow_versions SET changed_at = created_at;

-- used in: the check of references when a person is removed
CREATE INDEX workflow_versions_changed_by ON workflow_versions (changed_by) WHERE changed_by IS NOT NULL;
-- used in: list_versions
CREATE INDEX workflow_versions_listed ON workflow_versions (namespace, name, sort_key DESC, version DESC);

-- Only a draft changes. What has left draft is what was reviewed, until it is a draft again.
DROP TRIGGER workflow_versions_text_is_fixed;
CREATE TRIGGER workflow_versions_identity_is_fixed BEFORE UPDATE ON workflow_versions
WHEN NEW.namespace IS NOT OLD.namespace OR NEW.name IS NOT OLD.name OR NEW.version IS NOT OLD.version
  OR NEW.created_by IS NOT OLD.created_by OR NEW.created_at IS NOT OLD.created_at OR NEW.sort_key IS NOT OLD.sort_key
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: which version it is never changes');
END;
CREATE TRIGGER workflow_versions_text_is_fixed BEFORE UPDATE ON workflow_versions
WHEN OLD.state <> 'draft' AND (NEW.source IS NOT OLD.source
  OR NEW.state <> 'draft' AND (NEW.resources IS NOT OLD.resources OR NEW.digest IS NOT OLD.digest OR NEW.title IS NOT OLD.title))
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: only a draft changes');
END;
CREATE TRIGGER workflow_versions_move_along BEFORE UPDATE ON workflow_versions
WHEN OLD.state || ' ' || NEW.state NOT IN
  ('draft draft', 'draft in-review', 'in-review draft', 'in-review published', 'published retired')
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: a version moves from draft by review to published, and retires from there');
END;
DROP TRIGGER workflow_versions_stay;
CREATE TRIGGER workflow_versions_stay BEFORE DELETE ON workflow_versions
WHEN OLD.state <> 'draft'
BEGIN
    SELECT RAISE(ABORT, 'workflow_versions: only a draft is deleted');
END;

-- Everybody who has saved a change of a version.
CREATE TABLE version_authors (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    user_id   TEXT NOT NULL REFERENCES users (id),
    since     INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, version, user_id),
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version) ON DELETE CASCADE
) STRICT;

-- used in: the check of references when a person is removed
CREATE INDEX version_authors_user ON version_authors (user_id);

-- An author stays one: who wrote a version never publishes it.
CREATE TRIGGER version_authors_are_fixed BEFORE UPDATE ON version_authors
BEGIN
    SELECT RAISE(ABORT, 'version_authors: rows never change');
END;
CREATE TRIGGER version_authors_stay BEFORE DELETE ON version_authors
WHEN EXISTS (SELECT 1 FROM workflow_versions v
             WHERE v.namespace = OLD.namespace AND v.name = OLD.name AND v.version = OLD.version)
BEGIN
    SELECT RAISE(ABORT, 'version_authors: rows are deleted with their draft only');
END;

CREATE TABLE version_comments (
    id          TEXT PRIMARY KEY,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    -- Of the text that it is about.
    digest      TEXT NOT NULL,
    line        INTEGER CHECK (line > 0),
    text        TEXT NOT NULL,
    written_by  TEXT NOT NULL REFERENCES users (id),
    written_at  INTEGER NOT NULL,
    resolved_by TEXT REFERENCES users (id),
    resolved_at INTEGER,
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version) ON DELETE CASCADE,
    CHECK ((resolved_by IS NULL) = (resolved_at IS NULL))
) STRICT;

-- used in: version_comments
CREATE INDEX version_comments_version ON version_comments (namespace, name, version, written_at, id);
-- used in: the check of references when a person is removed
CREATE INDEX version_comments_written_by ON version_comments (written_by);
CREATE INDEX version_comments_resolved_by ON version_comments (resolved_by) WHERE resolved_by IS NOT NULL;

-- What was said in a review stays said; it is only resolved, once.
CREATE TRIGGER version_comments_are_fixed BEFORE UPDATE ON version_comments
WHEN OLD.resolved_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.namespace IS NOT OLD.namespace OR NEW.name IS NOT OLD.name
  OR NEW.version IS NOT OLD.version OR NEW.digest IS NOT OLD.digest OR NEW.line IS NOT OLD.line
  OR NEW.text IS NOT OLD.text OR NEW.written_by IS NOT OLD.written_by OR NEW.written_at IS NOT OLD.written_at
BEGIN
    SELECT RAISE(ABORT, 'version_comments: rows are only resolved');
END;
CREATE TRIGGER version_comments_stay BEFORE DELETE ON version_comments
WHEN EXISTS (SELECT 1 FROM workflow_versions v
             WHERE v.namespace = OLD.namespace AND v.name = OLD.name AND v.version = OLD.version)
BEGIN
    SELECT RAISE(ABORT, 'version_comments: rows are deleted with their draft only');
END;
