WITH conflicts (one, other) AS (
    VALUES ('requester', 'approver'),
           ('author', 'publisher'),
           ('operator', 'author'),
           ('operator', 'approver'),
           ('administrator', 'auditor'),
           ('administrator', 'publisher')
),
held AS (
    SELECT g.id, g.user_id AS holder_id, g.role, g.scope, g.created_at, CAST(NULL AS TEXT) AS team
    FROM grants g
    WHERE g.user_id IS NOT NULL AND g.created_at < $2 AND (g.expires_at IS NULL OR g.expires_at > $1)
    UNION ALL
    SELECT g.id, m.user_id, g.role, g.scope, g.created_at, t.title
    FROM grants g
    JOIN teams t ON t.id = g.team_id
    JOIN team_members m ON m.team_id = g.team_id
    WHERE g.created_at < $2 AND (g.expires_at IS NULL OR g.expires_at > $1)
)
SELECT u.login AS person,
       a.role AS role,
       a.scope AS scope,
       a.team AS team,
       b.role AS other_role,
       b.scope AS other_scope,
       b.team AS other_team,
       CASE WHEN a.created_at > b.created_at THEN a.created_at ELSE b.created_at END AS since
FROM held a
JOIN conflicts c ON c.one = a.role
JOIN held b ON b.holder_id = a.holder_id AND b.role = c.other
JOIN users u ON u.id = a.holder_id
WHERE u.active AND (a.scope = b.scope OR a.scope = '*' OR b.scope = '*')
ORDER BY person, role, other_role, a.id, b.id
LIMIT $3
