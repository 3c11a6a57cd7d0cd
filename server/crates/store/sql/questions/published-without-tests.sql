SELECT l.at AS at,
       l.resource_name AS definition,
       l.actor AS person,
       l.action AS action,
       l.tests AS tests,
       l.seq AS entry
FROM audit_log l
WHERE l.action IN ('definition.publish', 'definition.merge', 'workflow.publish')
  AND l.outcome = 'done' AND l.at >= $1 AND l.at < $2
  -- Absent where it was published before the log counted tests.
  AND COALESCE(l.tests, 0) = 0
ORDER BY l.seq DESC
LIMIT $3
