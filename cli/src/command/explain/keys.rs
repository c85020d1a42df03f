//! The sender's published keys for one explained request: from a file, from the sender, or from nowhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mef_pipeline::network_keys::{KeysFile, NetworkKeys, WantedKey};
use mef_pipeline::received::Received;
use mef_pipeline::source::Source;
use mef_receiver::{CallArgs, KeyFetcher, SystemClock};
use tokio::time::Instant;

use crate::failure::{Failure, Outcome};
use crate::files;

/// How long senders may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where published keys come from.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The sender's published keys, instead of fetching them: a JSON object from URLs or key ids to keys
    #[arg(long, value_name = "FILE", conflicts_with_all = ["offline", "key_ca", "key_private_addresses"])]
    keys: Option<PathBuf>,
    /// Call nobody: the sender's published keys count as unavailable
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    calls: CallArgs,
}

impl KeyArgs {
    /// What there is of the keys that a request needs. A file that is given is read in any case: its mistakes are told.
    pub(super) fn find(&self, source: &Source, received: &Received) -> Outcome<NetworkKeys> {
        let wanted = source.verifier().wanted_keys(received);
        if let Some(path) = &self.keys {
            let file = KeysFile::parse(&files::read_bytes(path)?)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
            return Ok(file.answer(&wanted));
        }
        if wanted.is_empty() {
            return Ok(NetworkKeys::none());
        }
        if self.offline {
            let mut network = NetworkKeys::none();
            for WantedKey { document, .. } in wanted {
                network.add_unavailable(document, "--offline calls nobody");
            }
            return Ok(network);
        }
        self.fetch(&wanted)
    }

    fn fetch(&self, wanted: &[WantedKey]) -> Outcome<NetworkKeys> {
        let settings = self.calls.settings();
        let fetcher = settings
            .and_then(|settings| KeyFetcher::new(&settings, Arc::new(SystemClock)))
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unreachable(format!("cannot start threads: {error}")))?;
        let network = runtime.block_on(async { fetcher.fetch(wanted, Instant::now() + PATIENCE).await });
        // A name that is still being looked up must not hold the command.
        runtime.shutdown_background();
        Ok(network)
    }
}
