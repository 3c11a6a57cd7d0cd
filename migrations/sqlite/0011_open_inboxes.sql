-- How many events wait in the inbox of each run: their number is taken off in the statement that takes them, whoever else is
-- putting some in at that moment.
-- used in: push_inbox, advance_run
ALTER TABLE runs ADD COLUMN inbox_open INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET inbox_open = (SELECT count(*) FROM inbox WHERE inbox.run_id = runs.id) WHERE inbox_since IS NOT NULL;
