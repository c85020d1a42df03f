//! What is asked of sources in a cluster: `status`, `reconcile`, `suspend`, `resume`. The same binary is a kubectl plugin
//! under the name `kubectl-mef`.

mod client;
mod change;
mod status;

pub(super) use change::{Reconcile, Resume, Suspend};
pub(super) use client::{Cluster, Connected, block_on, refused};
pub(super) use status::Status;
