-- Who there is, what they may do, and how they prove who they are.
-- Ids are hyphenated UUIDs, times microseconds since 1970. Text that is compared or ordered is so by its bytes ("C").
-- Indexed text has a limited length, because PostgreSQL cannot index text that is much longer.

CREATE TABLE users (
    id                   TEXT COLLATE "C" PRIMARY KEY,
    login                TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(login) BETWEEN 1 AND 200 AND login = lower(login)),
    name                 TEXT COLLATE "C" NOT NULL,
    email                TEXT COLLATE "C",
    active               BOOLEAN NOT NULL,
    password_hash        TEXT,
    must_change_password BOOLEAN NOT NULL,
    manager_id           TEXT COLLATE "C" REFERENCES users (id) CHECK (manager_id <> id),
    locale               TEXT COLLATE "C" CHECK (locale IN ('en', 'ko')),
    theme                TEXT COLLATE "C" CHECK (theme IN ('light', 'dark')),
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL,
    last_sign_in_at      BIGINT,
    -- Name, sign-in name and mail as the program folds them for searching.
    search_text          TEXT NOT NULL
);

-- used in: the check of references when a person is removed
CREATE INDEX users_manager ON users (manager_id) WHERE manager_id IS NOT NULL;

CREATE TABLE teams (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200 AND name = lower(name)),
    title      TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE team_members (
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (team_id, user_id)
);

-- used in: teams_of, grants_of, users_with_role
CREATE INDEX team_members_user ON team_members (user_id);

CREATE TABLE grants (
    id         TEXT COLLATE "C" PRIMARY KEY,
    user_id    TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    team_id    TEXT COLLATE "C" REFERENCES teams (id) ON DELETE CASCADE,
    role       TEXT COLLATE "C" NOT NULL CHECK (role IN ('requester', 'approver', 'operator', 'author', 'publisher', 'auditor', 'administrator')),
    scope      TEXT COLLATE "C" NOT NULL CHECK (length(scope) BETWEEN 1 AND 200),
    expires_at BIGINT,
    created_by TEXT COLLATE "C" REFERENCES users (id),
    created_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) <> (team_id IS NULL))
);

-- used in: grants_of, users_with_role; a role on a scope is held once
CREATE UNIQUE INDEX grants_user ON grants (user_id, role, scope) WHERE user_id IS NOT NULL;
-- used in: grants_of, users_with_role; a role on a scope is held once
CREATE UNIQUE INDEX grants_team ON grants (team_id, role, scope) WHERE team_id IS NOT NULL;
-- used in: the check of references when a person is removed
CREATE INDEX grants_created_by ON grants (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE sessions (
    id           TEXT COLLATE "C" PRIMARY KEY,
    token_hash   TEXT COLLATE "C" NOT NULL UNIQUE,
    user_id      TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    data         TEXT NOT NULL,
    address      TEXT COLLATE "C" NOT NULL,
    user_agent   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

-- used in: sessions_of, revoke_sessions_of
CREATE INDEX sessions_user ON sessions (user_id) WHERE user_id IS NOT NULL;
-- used in: prune_sessions
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    token_hash   TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

-- used in: tokens_of, revoke_tokens_of
CREATE INDEX api_tokens_user ON api_tokens (user_id) WHERE revoked_at IS NULL;

CREATE TABLE one_time_links (
    id         TEXT COLLATE "C" PRIMARY KEY,
    token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    purpose    TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('first-administrator', 'set-password', 'reveal-password')),
    user_id    TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    sealed     TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    -- A used link keeps nothing to show.
    CHECK (used_at IS NULL OR sealed IS NULL)
);

-- used in: revoke_links_of
CREATE INDEX one_time_links_user ON one_time_links (user_id) WHERE used_at IS NULL;
-- used in: revoke_links_for
CREATE INDEX one_time_links_purpose ON one_time_links (purpose) WHERE used_at IS NULL;

CREATE TABLE throttles (
    subject         TEXT COLLATE "C" PRIMARY KEY CHECK (length(subject) <= 500),
    failures        BIGINT NOT NULL CHECK (failures >= 0),
    locked_until    BIGINT,
    last_failure_at BIGINT NOT NULL
);

-- used in: prune_throttles
CREATE INDEX throttles_last_failure ON throttles (last_failure_at);

CREATE TABLE settings (
    key   TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);
