SELECT l.address AS address,
       count(*) FILTER (WHERE l.outcome <> 'done') AS failed,
       count(DISTINCT CASE WHEN l.outcome <> 'done' THEN l.actor END) AS names,
       count(*) FILTER (WHERE l.outcome = 'done') AS succeeded,
       min(CASE WHEN l.outcome <> 'done' THEN l.at END) AS first_at,
       max(CASE WHEN l.outcome <> 'done' THEN l.at END) AS last_at,
       max(CASE WHEN l.outcome <> 'done' THEN l.seq END) AS entry
FROM audit_log l
WHERE l.action = 'session.create' AND l.at >= $1 AND l.at < $2
GROUP BY l.address
HAVING count(*) FILTER (WHERE l.outcome <> 'done') > 0
ORDER BY failed DESC, entry DESC
LIMIT $3
