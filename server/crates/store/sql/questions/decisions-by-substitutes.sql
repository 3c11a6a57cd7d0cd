SELECT d.decided_at AS at,
       u.login AS person,
       o.login AS on_behalf_of,
       d.kind AS decision,
       a.title AS step,
       r.number AS run,
       d.comment AS comment,
       (SELECT max(e.seq)
        FROM audit_entries e
        WHERE e.action = 'approval.decide' AND e.resource_id = d.approval_id
          AND e.actor_id = d.user_id AND e.at = d.decided_at AND e.outcome = 'done') AS entry
FROM decisions d
JOIN users o ON o.id = d.on_behalf_of
JOIN users u ON u.id = d.user_id
JOIN approvals a ON a.id = d.approval_id
JOIN runs r ON r.id = a.run_id
WHERE d.decided_at >= $1 AND d.decided_at < $2
ORDER BY at DESC, run DESC, person
LIMIT $3
