-- Logs of tasks. On SQLite they live in a file of their own, so that their volume never slows the engine.

CREATE TABLE task_logs (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    reference TEXT NOT NULL,
    level     TEXT NOT NULL,
    text      TEXT NOT NULL
) STRICT;

-- used in: read
CREATE INDEX task_logs_run ON task_logs (run_id, seq);
