-- Reviews of who holds which roles: what nobody confirms by a date ends.

CREATE TABLE access_reviews (
    id         TEXT COLLATE "C" PRIMARY KEY,
    title      TEXT NOT NULL,
    -- A namespace, or * for all grants.
    scope      TEXT COLLATE "C" NOT NULL CHECK (length(scope) BETWEEN 1 AND 200),
    due_at     BIGINT NOT NULL,
    started_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    started_at BIGINT NOT NULL,
    closed_at  BIGINT
);

-- used in: due_access_review
CREATE INDEX access_reviews_due ON access_reviews (due_at, id) WHERE closed_at IS NULL;
-- used in: list_access_reviews
CREATE INDEX access_reviews_started ON access_reviews (started_at DESC, id DESC);
-- used in: the check of references when a person is removed
CREATE INDEX access_reviews_started_by ON access_reviews (started_by);

-- The grants as they were when the review began. They may go, and their holders with them; what was said of them stays.
CREATE TABLE access_review_items (
    review_id  TEXT COLLATE "C" NOT NULL REFERENCES access_reviews (id),
    grant_id   TEXT COLLATE "C" NOT NULL,
    holder     TEXT NOT NULL,
    team       BOOLEAN NOT NULL,
    role       TEXT COLLATE "C" NOT NULL CHECK (role IN ('requester', 'approver', 'operator', 'author', 'publisher', 'auditor', 'administrator')),
    scope      TEXT COLLATE "C" NOT NULL,
    verdict    TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('pending', 'confirmed', 'revoked', 'lapsed', 'kept', 'gone')),
    decided_by TEXT COLLATE "C" REFERENCES users (id),
    decided_at BIGINT,
    comment    TEXT NOT NULL,
    PRIMARY KEY (review_id, grant_id),
    CHECK ((verdict = 'pending') = (decided_at IS NULL) AND (decided_by IS NULL OR decided_at IS NOT NULL))
);

-- used in: the check of references when a person is removed
CREATE INDEX access_review_items_decided_by ON access_review_items (decided_by) WHERE decided_by IS NOT NULL;

-- What was said is said.
CREATE TRIGGER access_review_items_are_decided_once BEFORE UPDATE ON access_review_items FOR EACH ROW
WHEN (OLD.verdict <> 'pending' OR NEW.review_id IS DISTINCT FROM OLD.review_id OR NEW.grant_id IS DISTINCT FROM OLD.grant_id
  OR NEW.holder IS DISTINCT FROM OLD.holder OR NEW.team IS DISTINCT FROM OLD.team OR NEW.role IS DISTINCT FROM OLD.role OR NEW.scope IS DISTINCT FROM OLD.scope)
EXECUTE FUNCTION refuse_change('access_review_items: rows are only decided, once');
CREATE TRIGGER access_review_items_stay BEFORE DELETE ON access_review_items FOR EACH ROW EXECUTE FUNCTION refuse_change('access_review_items: rows are never deleted');
CREATE TRIGGER access_review_items_not_truncated BEFORE TRUNCATE ON access_review_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('access_review_items: rows are never deleted');
