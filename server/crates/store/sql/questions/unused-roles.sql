-- What only makes sense with a role: whoever has done one of these has used it.
WITH uses (role, action) AS (
    VALUES ('requester', 'run.launch'), ('requester', 'approval.resubmit'), ('requester', 'approval.answer'),
           ('approver', 'approval.decide'), ('approver', 'approval.ask'),
           ('operator', 'run.cancel'), ('operator', 'run.suspend'), ('operator', 'run.resume'),
           ('operator', 'run.retry'), ('operator', 'run.skip'), ('operator', 'run.resume-from'),
           ('operator', 'run.resolve'), ('operator', 'event.publish'), ('operator', 'emergency.confirm'),
           ('author', 'definition.save'), ('author', 'definition.delete'), ('author', 'definition.submit'),
           ('author', 'definition.withdraw'), ('author', 'definition.comment'),
           ('publisher', 'definition.publish'), ('publisher', 'definition.return'),
           ('publisher', 'definition.retire'), ('publisher', 'definition.comment'),
           ('auditor', 'audit.read'), ('auditor', 'audit.export'), ('auditor', 'audit.subscribe'),
           ('auditor', 'emergency.review'),
           ('administrator', 'user.create'), ('administrator', 'user.update'), ('administrator', 'user.disable'),
           ('administrator', 'user.reset-password'), ('administrator', 'user.erase'), ('administrator', 'team.update'),
           ('administrator', 'grant.create'), ('administrator', 'grant.revoke'),
           ('administrator', 'access-review.start'), ('administrator', 'access-review.decide'),
           ('administrator', 'access-review.close'), ('administrator', 'separation.update'),
           ('administrator', 'emergency.confirm'), ('administrator', 'emergency.end'),
           ('administrator', 'emergency.review'), ('administrator', 'process.permit'),
           ('administrator', 'process.forbid'), ('administrator', 'runner.enrol'),
           ('administrator', 'runner.update'), ('administrator', 'runner.remove'), ('administrator', 'secret.update'),
           ('administrator', 'secret.delete'), ('administrator', 'limit.update'), ('administrator', 'limit.delete'),
           ('administrator', 'calendar.update'), ('administrator', 'calendar.delete'),
           ('administrator', 'connection.update'), ('administrator', 'connection.delete'),
           ('administrator', 'connection.test'), ('administrator', 'repository.update'),
           ('administrator', 'repository.delete'), ('administrator', 'repository.sync'),
           ('administrator', 'policy.propose'), ('administrator', 'policy.withdraw'),
           ('administrator', 'policy.activate'), ('administrator', 'delegation.create'),
           ('administrator', 'delegation.revoke')
),
held AS (
    SELECT id AS grant_id, user_id AS holder_id FROM grants WHERE user_id IS NOT NULL
    UNION ALL
    SELECT g.id, m.user_id FROM grants g JOIN team_members m ON m.team_id = g.team_id
),
used AS (
    SELECT g.id AS grant_id, max(e.at) AS at
    FROM grants g
    JOIN held h ON h.grant_id = g.id
    JOIN uses s ON s.role = g.role
    JOIN audit_entries e ON e.actor_id = h.holder_id AND e.action = s.action
    WHERE e.outcome = 'done' AND e.at < $2 AND (g.scope = '*' OR e.namespace = g.scope)
    GROUP BY g.id
)
SELECT u.login AS person,
       t.title AS team,
       g.role AS role,
       g.scope AS scope,
       g.created_at AS since,
       d.at AS last_use,
       (SELECT max(e.seq)
        FROM audit_entries e
        WHERE e.action = 'grant.create' AND e.resource_id = g.id AND e.outcome = 'done') AS entry
FROM grants g
LEFT JOIN users u ON u.id = g.user_id
LEFT JOIN teams t ON t.id = g.team_id
LEFT JOIN used d ON d.grant_id = g.id
WHERE g.created_at < $1 AND (g.expires_at IS NULL OR g.expires_at > $2) AND (d.at IS NULL OR d.at < $1)
ORDER BY g.created_at, g.id
LIMIT $3
