WITH RECURSIVE changes AS (
    SELECT resource_id AS run_id, seq, at
    FROM audit_entries
    WHERE action = 'task.execute' AND at >= $1 AND at < $2
),
-- What was approved in a run counts for the runs that it has started.
line (run_id, above_id) AS (
    SELECT DISTINCT run_id, run_id FROM changes
    UNION
    SELECT l.run_id, c.parent_id
    FROM line l
    JOIN child_runs c ON c.run_id = l.above_id
),
independent AS (
    SELECT l.run_id, min(d.decided_at) AS at
    FROM line l
    JOIN runs r ON r.id = l.above_id
    JOIN approvals a ON a.run_id = r.id AND a.state = 'approved'
    JOIN decisions d ON d.approval_id = a.id AND d.kind = 'approve'
    WHERE d.user_id <> r.requester_id
      AND (d.on_behalf_of IS NULL OR d.on_behalf_of <> r.requester_id)
      AND NOT EXISTS (SELECT 1 FROM run_changes c WHERE c.run_id = r.id AND c.user_id = d.user_id)
    GROUP BY l.run_id
)
SELECT min(c.at) AS first_change,
       r.number AS run,
       r.namespace || '/' || r.name || ' ' || r.version AS definition,
       u.login AS requester,
       count(*) AS changes,
       min(c.seq) AS entry
FROM changes c
JOIN runs r ON r.id = c.run_id
JOIN users u ON u.id = r.requester_id
LEFT JOIN independent i ON i.run_id = c.run_id
WHERE i.at IS NULL OR i.at > c.at
GROUP BY r.number, r.namespace, r.name, r.version, u.login
ORDER BY first_change DESC, run DESC
LIMIT $3
