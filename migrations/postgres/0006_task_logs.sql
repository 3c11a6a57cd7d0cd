-- Logs of tasks. Written through connections of their own, so that their volume never slows the engine.

CREATE TABLE task_logs (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id    TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    level     TEXT COLLATE "C" NOT NULL,
    text      TEXT NOT NULL
);

-- used in: read
CREATE INDEX task_logs_run ON task_logs (run_id, seq);
