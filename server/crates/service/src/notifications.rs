//! Notices in the portal.

use domain::{
    NotificationId, Operation, Problem, Timestamp,
    view::{NotificationView, Page},
};
use policy::{Resource, ResourceKind};

use crate::{Caller, Service, cursor, gate::Target, problems::OrProblem as _};

impl Service {
    /// The caller's notices, newest first.
    pub async fn notifications(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<NotificationView>, Problem> {
        let mut gate = self.look(caller, Operation::NotificationList).await?;
        let own = Resource::own(ResourceKind::Notification, caller.user);
        gate.authorize(&own, &Target::new("user", caller.user, caller.login.clone())).await?;
        let limit = cursor::limit(limit);
        let before = cursor::decode::<(Timestamp, NotificationId)>(cursor)?;
        let rows = gate.unit.notifications_of(caller.user, before, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |notice| (notice.created_at, notice.id));
        Ok(cursor::map(page, |notice| NotificationView {
            id: notice.id,
            kind: notice.kind,
            title: notice.title,
            run_number: notice.run_number,
            link: notice.link,
            created_at: notice.created_at,
            read: notice.read_at.is_some(),
        }))
    }
}
