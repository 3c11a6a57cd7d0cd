-- What is counted of runs and approvals over a time: when they began, and how they ended.
-- Each index holds all that is counted, so that a year of wide rows is not read for a few figures.

-- used in: runs_asked
CREATE INDEX runs_asked ON runs (created_at, namespace, name, version, id);
-- used in: runs_ended, lead_times, lead_time_classes
CREATE INDEX runs_ended ON runs (
    ended_at, namespace, name, version, status, rejected, compensated, needs_attention, created_at, id
) WHERE ended_at IS NOT NULL;
-- used in: decision_times
CREATE INDEX approvals_closed ON approvals (closed_at, state, opened_at, run_id) WHERE closed_at IS NOT NULL;
