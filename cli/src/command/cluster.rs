//! What is asked of sources in a cluster: `status`, `plan`, `reconcile`, `suspend`, `resume`. The same binary is a kubectl plugin
//! under the name `kubectl-mef`.

mod client;
mod change;
mod plan;
mod status;

pub(super) use change::{Reconcile, Resume, Suspend};
pub(super) use client::{Cluster, Connected, block_on, refused};
pub(super) use plan::Plan;
pub(super) use status::Status;
