WITH asked AS (
    SELECT d.*,
           a.title,
           a.run_id,
           -- A stage begins with the last decision of the stages before it.
           COALESCE((SELECT max(b.decided_at)
                     FROM decisions b
                     WHERE b.approval_id = d.approval_id AND b.stage < d.stage), a.opened_at) AS asked_at
    FROM decisions d
    JOIN approvals a ON a.id = d.approval_id
    WHERE d.decided_at >= $1 AND d.decided_at < $2
)
SELECT d.decided_at AS at,
       u.login AS person,
       d.kind AS decision,
       (d.decided_at - d.asked_at) / 1000000 AS seconds,
       d.title AS step,
       r.number AS run,
       (SELECT max(e.seq)
        FROM audit_entries e
        WHERE e.action = 'approval.decide' AND e.resource_id = d.approval_id
          AND e.actor_id = d.user_id AND e.at = d.decided_at AND e.outcome = 'done') AS entry
FROM asked d
JOIN runs r ON r.id = d.run_id
JOIN users u ON u.id = d.user_id
WHERE d.decided_at - d.asked_at < 60000000
ORDER BY at DESC, run DESC, person
LIMIT $3
