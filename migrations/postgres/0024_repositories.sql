-- Repositories whose branches bring definitions.

CREATE TABLE repositories (
    namespace       TEXT COLLATE "C" NOT NULL CHECK (length(namespace) BETWEEN 1 AND 63),
    name            TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    url             TEXT NOT NULL,
    branch          TEXT NOT NULL,
    folder          TEXT NOT NULL,
    -- By whom the repository is read; without one, by anybody.
    account         TEXT,
    sealed_password TEXT,
    -- The authority (PEM) that alone is trusted with the server's certificate; without one, whom the system trusts.
    authority       TEXT,
    -- What calls of its webhook are signed with; without one there is no webhook.
    sealed_hook     TEXT,
    -- Minutes from one look to the next; none: only when somebody asks.
    every_minutes   BIGINT CHECK (every_minutes > 0),
    changed_by      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    changed_at      BIGINT NOT NULL,
    -- When it is looked at next.
    due_at          BIGINT,
    looked_at       BIGINT,
    -- The commit that was taken last, and what became of its files, as JSON.
    commit_id       TEXT,
    files           TEXT NOT NULL,
    -- Why the last look failed.
    failure         TEXT,
    PRIMARY KEY (namespace, name)
);

-- The texts that repositories have brought. As long as a version has that text, nobody here has changed it.
CREATE TABLE brought_texts (
    namespace  TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    repository TEXT COLLATE "C" NOT NULL,
    -- Hex SHA-256 of the text.
    digest     TEXT NOT NULL,
    PRIMARY KEY (namespace, name, version),
    FOREIGN KEY (namespace, repository) REFERENCES repositories (namespace, name) ON DELETE CASCADE
);

-- used in: the end of a repository
CREATE INDEX brought_texts_repository ON brought_texts (namespace, repository);

-- used in: take_due_repository, next_repository
CREATE INDEX repositories_due_at ON repositories (due_at) WHERE due_at IS NOT NULL;

-- used in: the check of references when a person is removed
CREATE INDEX repositories_changed_by ON repositories (changed_by);

-- used in: users_by_email
CREATE INDEX users_email ON users (lower(email));
