//! `bootstrap`: what Lambda starts; the rest is `mef_receiver::function`.

use mef_receiver::function::{self, config::Config};
use tracing_subscriber::filter::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(std::io::stderr)
        .init();
    let config = Config::of(|name| std::env::var(name).ok())?;
    function::run(config).await?;
    Ok(())
}
