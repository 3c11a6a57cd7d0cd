-- The life of a definition: drafts whose text still changes, who wrote them, and what reviewers said.

-- Who last saved it or moved it along, and when; none for what ships.
ALTER TABLE workflow_versions ADD COLUMN changed_by TEXT COLLATE "C" REFERENCES users (id);
ALTER TABLE workflow_versions ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
UPDATE workflow_versions SET changed_at = created_at;

-- used in: the check of references when a person is removed
CREATE INDEX workflow_versions_changed_by ON workflow_versions (changed_by) WHERE changed_by IS NOT NULL;
-- used in: list_versions
CREATE INDEX workflow_versions_listed ON workflow_versions (namespace, name, sort_key DESC, version DESC);

-- Only a draft changes. What has left draft is what was reviewed, until it is a draft again.
DROP TRIGGER workflow_versions_text_is_fixed ON workflow_versions;
CREATE TRIGGER workflow_versions_identity_is_fixed BEFORE UPDATE ON workflow_versions FOR EACH ROW
WHEN (NEW.namespace IS DISTINCT FROM OLD.namespace OR NEW.name IS DISTINCT FROM OLD.name OR NEW.version IS DISTINCT FROM OLD.version
  OR NEW.created_by IS DISTINCT FROM OLD.created_by OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.sort_key IS DISTINCT FROM OLD.sort_key)
EXECUTE FUNCTION refuse_change('workflow_versions: which version it is never changes');
CREATE TRIGGER workflow_versions_text_is_fixed BEFORE UPDATE ON workflow_versions FOR EACH ROW
WHEN (OLD.state <> 'draft' AND (NEW.source IS DISTINCT FROM OLD.source
  OR NEW.state <> 'draft' AND (NEW.resources IS DISTINCT FROM OLD.resources OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.title IS DISTINCT FROM OLD.title)))
EXECUTE FUNCTION refuse_change('workflow_versions: only a draft changes');
CREATE TRIGGER workflow_versions_move_along BEFORE UPDATE ON workflow_versions FOR EACH ROW
WHEN (OLD.state || ' ' || NEW.state NOT IN
  ('draft draft', 'draft in-review', 'in-review draft', 'in-review published', 'published retired'))
EXECUTE FUNCTION refuse_change('workflow_versions: a version moves from draft by review to published, and retires from there');
DROP TRIGGER workflow_versions_stay ON workflow_versions;
CREATE TRIGGER workflow_versions_stay BEFORE DELETE ON workflow_versions FOR EACH ROW
WHEN (OLD.state <> 'draft')
EXECUTE FUNCTION refuse_change('workflow_versions: only a draft is deleted');

-- Everybody who has saved a change of a version.
CREATE TABLE version_authors (
    namespace TEXT COLLATE "C" NOT NULL,
    name      TEXT COLLATE "C" NOT NULL,
    version   TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    since     BIGINT NOT NULL,
    PRIMARY KEY (namespace, name, version, user_id),
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version) ON DELETE CASCADE
);

-- used in: the check of references when a person is removed
CREATE INDEX version_authors_user ON version_authors (user_id);

-- Guards rows that go with their draft, and with nothing else; the argument says what is refused.
CREATE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM workflow_versions v
               WHERE v.namespace = OLD.namespace AND v.name = OLD.name AND v.version = OLD.version) THEN
        RAISE EXCEPTION '%', TG_ARGV[0];
    END IF;
    RETURN OLD;
END;
$$;

-- An author stays one: who wrote a version never publishes it.
CREATE TRIGGER version_authors_are_fixed BEFORE UPDATE ON version_authors FOR EACH ROW EXECUTE FUNCTION refuse_change('version_authors: rows never change');
CREATE TRIGGER version_authors_stay BEFORE DELETE ON version_authors FOR EACH ROW EXECUTE FUNCTION refuse_loss('version_authors: rows are deleted with their draft only');
CREATE TRIGGER version_authors_not_truncated BEFORE TRUNCATE ON version_authors FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('version_authors: rows are deleted with their draft only');

CREATE TABLE version_comments (
    id          TEXT COLLATE "C" PRIMARY KEY,
    namespace   TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    -- Of the text that it is about.
    digest      TEXT COLLATE "C" NOT NULL,
    line        BIGINT CHECK (line > 0),
    text        TEXT NOT NULL,
    written_by  TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    written_at  BIGINT NOT NULL,
    resolved_by TEXT COLLATE "C" REFERENCES users (id),
    resolved_at BIGINT,
    FOREIGN KEY (namespace, name, version) REFERENCES workflow_versions (namespace, name, version) ON DELETE CASCADE,
    CHECK ((resolved_by IS NULL) = (resolved_at IS NULL))
);

-- used in: version_comments
CREATE INDEX version_comments_version ON version_comments (namespace, name, version, written_at, id);
-- used in: the check of references when a person is removed
CREATE INDEX version_comments_written_by ON version_comments (written_by);
CREATE INDEX version_comments_resolved_by ON version_comments (resolved_by) WHERE resolved_by IS NOT NULL;

-- What was said in a review stays said; it is only resolved, once.
CREATE TRIGGER version_comments_are_fixed BEFORE UPDATE ON version_comments FOR EACH ROW
WHEN (OLD.resolved_at IS NOT NULL OR NEW.id IS DISTINCT FROM OLD.id OR NEW.namespace IS DISTINCT FROM OLD.namespace OR NEW.name IS DISTINCT FROM OLD.name
  OR NEW.version IS DISTINCT FROM OLD.version OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.line IS DISTINCT FROM OLD.line
  OR NEW.text IS DISTINCT FROM OLD.text OR NEW.written_by IS DISTINCT FROM OLD.written_by OR NEW.written_at IS DISTINCT FROM OLD.written_at)
EXECUTE FUNCTION refuse_change('version_comments: rows are only resolved');
CREATE TRIGGER version_comments_stay BEFORE DELETE ON version_comments FOR EACH ROW EXECUTE FUNCTION refuse_loss('version_comments: rows are deleted with their draft only');
CREATE TRIGGER version_comments_not_truncated BEFORE TRUNCATE ON version_comments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('version_comments: rows are deleted with their draft only');
