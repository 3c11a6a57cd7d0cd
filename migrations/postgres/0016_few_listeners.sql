-- Who listens is looked for by an index, however many listen to the same. From counting alone the database would expect any
-- event to be heard by all of them, and read them all to find that it is heard by none.
-- used in: subscribers, is_anybody_listening, refuse_if_heard
ALTER TABLE subscriptions ALTER COLUMN type_key SET (n_distinct = -1), ALTER COLUMN source_key SET (n_distinct = -1);
ALTER TABLE schedule_filters ALTER COLUMN type_key SET (n_distinct = -1), ALTER COLUMN source_key SET (n_distinct = -1);
ANALYZE subscriptions, schedule_filters;
