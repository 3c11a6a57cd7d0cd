SELECT e.asked_at AS at,
       p.login AS person,
       e.role AS role,
       e.scope AS scope,
       e.reason AS reason,
       c.login AS confirmed_by,
       e.ends_at AS ends_at,
       -- What was begun by it may end a little later.
       (SELECT count(*)
        FROM audit_log l
        WHERE l.actor_id = e.person_id AND l.emergency_id = e.id
          AND l.at >= e.confirmed_at AND l.at < e.ends_at + 3600000000) AS entries,
       r.login AS reviewed_by,
       e.reviewed_at AS reviewed_at,
       e.review AS review,
       (SELECT min(l.seq)
        FROM audit_entries l
        WHERE l.action = 'emergency.ask' AND l.resource_id = e.id AND l.outcome = 'done') AS entry
FROM emergencies e
JOIN users p ON p.id = e.person_id
LEFT JOIN users c ON c.id = e.confirmed_by
LEFT JOIN users r ON r.id = e.reviewed_by
-- Asked for in the period, reviewed in it, or still without a review.
WHERE e.asked_at < $2
  AND (e.asked_at >= $1 OR e.reviewed_at >= $1 OR (e.confirmed_at IS NOT NULL AND e.reviewed_at IS NULL))
ORDER BY e.asked_at DESC, e.id DESC
LIMIT $3
