//! Reads branches of repositories by Git, over the clients that all calls by HTTP go through.

use std::sync::Arc;

use async_trait::async_trait;
use connectors::{
    git::{self, Branch, Checkout, GitError, Reach},
    http::Http,
};
use service::Branches;

/// Branches of repositories that are reached by HTTP.
pub(crate) struct GitBranches(pub(crate) Arc<Http>);

#[async_trait]
impl Branches for GitBranches {
    async fn read(
        &self,
        branch: &Branch,
        authority: Option<&str>,
        known: Option<&str>,
    ) -> Result<Option<Checkout>, GitError> {
        let reach = Reach { authority, ..Reach::from(self.0.as_ref()) };
        git::read(branch, known, &reach).await
    }
}
