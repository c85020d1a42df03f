//! `bootstrap`: what Lambda starts; the rest is `mef_receiver::function`.

use mef_receiver::function::{self, config::Config};
use tracing_subscriber::filter::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Its traces are X-Ray's, which AWS keeps.
    mef_telemetry::log(LevelFilter::INFO, None);
    let config = Config::of(|name| std::env::var(name).ok())?;
    function::run(config).await?;
    Ok(())
}
