-- What is said of schedules that may not launch, and runs by namespace.

-- Why the last launch was refused, if it was, as JSON.
ALTER TABLE schedules ADD COLUMN refused TEXT;

-- used in: list_runs (by namespace, and of whom sees a namespace)
CREATE INDEX runs_namespace ON runs (namespace, number);
