//! A secret that a vendor tells on first use (Notion): kept under --data, shown once to the person at the terminal.
//!
//! Anybody who finds the URL could tell one first. So one is taken only in the first minutes of `mef dev`, one per source,
//! while the source has no secret; and the person is asked to compare it with the vendor's.

use std::fs;
use std::io::{ErrorKind, IsTerminal as _, stdout};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mef_crds::SecretKeyRef;
use mef_pipeline::secret::Secret;
use mef_receiver::{Captor, Captured, Route};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::data::{DataFolder, write_private};
use crate::output::{Output, printable};

/// How long after the start a secret is taken.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Keeps captured secrets under --data.
pub(super) struct Keeper {
    data: DataFolder,
    until: Instant,
    output: Output,
    one_at_a_time: Mutex<()>,
}

impl Keeper {
    /// The window opens now.
    pub(super) fn new(data: DataFolder, output: Output) -> Self {
        Self {
            data,
            until: Instant::now() + WINDOW,
            output,
            one_at_a_time: Mutex::default(),
        }
    }

    fn tell(&self, route: &Route, reference: &SecretKeyRef, path: &Path, secret: &Secret) {
        let SecretKeyRef { name, key } = reference;
        // Where stdout is a file or a pipe it would stay.
        let shown = if stdout().is_terminal() {
            let text = String::from_utf8_lossy(secret.expose());
            format!("  {}   (shown this once)\n", printable(&text))
        } else {
            String::new()
        };
        let title = &route.source().preset().title;
        let path = path.display();
        let text = format!(
            "{}: a secret was told, and is in use as {name}/{key}. It is kept in {path}\n{shown}\
             If it is the one that {title} shows or asks for next, store it where the source will run, as\n  \
             kubectl create secret generic {name} --from-file={key}={path}\n\
             If it is not, somebody else told it: remove the file and start again.",
            route.id(),
        );
        if self.output.is_json() {
            self.output.note(text);
        } else {
            // That nobody may be listening is no reason to lose the secret.
            let _ = self.output.line(text);
        }
    }
}

impl Captor for Keeper {
    fn capture(&self, route: &Route, usage: &str, secret: &Secret) -> Captured {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let definition = route.source().definition();
        let entries = &definition.spec.webhook.secrets;
        let Some(entry) = entries.iter().find(|entry| definition.usage(entry) == usage) else {
            return Captured::Refused;
        };
        let Some(reference @ SecretKeyRef { name, key }) = &entry.secret_ref else {
            return Captured::Refused;
        };
        let Some(path) = self.data.secret(&definition.namespace, name, key) else {
            return Captured::Refused;
        };
        match fs::read(&path) {
            // The sender tells it again where our answer did not reach it.
            Ok(kept) if kept.ct_eq(secret.expose()).into() => return Captured::Taken,
            Ok(_) => {
                tracing::warn!(
                    source = route.id(),
                    file = %path.display(),
                    "a sender told another secret than the one that is kept; it is refused. If the kept one is wrong, remove the file and start again"
                );
                return Captured::Refused;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Captured::Failed(format!("{}: {error}", path.display())),
        }
        if Instant::now() >= self.until {
            tracing::warn!(
                source = route.id(),
                "a sender told a secret after the first ten minutes; it is refused. Start mef dev again to take one"
            );
            return Captured::Refused;
        }
        if let Err(failure) = write_private(&path, secret.expose()) {
            return Captured::Failed(failure.to_string());
        }
        self.tell(route, reference, &path, secret);
        Captured::Taken
    }
}
