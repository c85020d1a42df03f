//! The runs of a round: who is sent what, and what must come back.

use crate::corpus::Spoiled;

/// One run.
pub(crate) struct Run {
    /// The row's name.
    pub(crate) name: &'static str,
    /// Who is asked; the names are those of [`crate::contestant`].
    pub(crate) contestant: &'static str,
    /// The set of requests.
    pub(crate) set: &'static str,
    /// Where they are sent.
    pub(crate) path: &'static str,
    /// How they are spoiled.
    pub(crate) spoiled: Spoiled,
    /// What is answered to an event or a dead letter.
    pub(crate) status: u16,
}

const fn run(name: &'static str, contestant: &'static str, set: &'static str, path: &'static str) -> Run {
    Run {
        name,
        contestant,
        set,
        path,
        spoiled: Spoiled::No,
        status: 200,
    }
}

/// What our preset for GitHub answers.
const fn ours(name: &'static str, contestant: &'static str, set: &'static str, path: &'static str) -> Run {
    Run {
        status: 202,
        ..run(name, contestant, set, path)
    }
}

const fn spoiled(
    name: &'static str,
    contestant: &'static str,
    set: &'static str,
    spoiled: Spoiled,
    status: u16,
) -> Run {
    Run {
        name,
        contestant,
        set,
        path: "/github",
        spoiled,
        status,
    }
}

/// All of them; in a round they run in another order each time.
pub(crate) const RUNS: [Run; 49] = [
    run("null G", "null", "G", "/github"),
    run("hyper G", "hyper", "G", "/github"),
    run("axum S", "axum", "S", "/zoom"),
    run("axum G", "axum", "G", "/github"),
    run("axum L", "axum", "L", "/github"),
    run("axum+hmac S", "axum-hmac", "S", "/zoom"),
    run("axum+hmac G", "axum-hmac", "G", "/github"),
    run("axum+hmac L", "axum-hmac", "L", "/github"),
    run("mef S", "mef", "S", "/zoom"),
    ours("mef G", "mef", "G", "/github"),
    ours("mef L", "mef", "L", "/github"),
    run("mef+transform S", "mef", "S", "/zoom-transform"),
    ours("mef+transform G", "mef", "G", "/github-transform"),
    ours("mef+transform L", "mef", "L", "/github-transform"),
    run("mef quiet S", "mef-quiet", "S", "/zoom"),
    ours("mef quiet G", "mef-quiet", "G", "/github"),
    run("mef file S", "mef-file", "S", "/zoom"),
    ours("mef file G", "mef-file", "G", "/github"),
    ours("mef file L", "mef-file", "L", "/github"),
    ours("mef M", "mef", "M", "/github"),
    ours("mef file M", "mef-file", "M", "/github"),
    run("mef sqs S", "mef-sqs", "S", "/zoom"),
    ours("mef sqs G", "mef-sqs", "G", "/github"),
    ours("mef jetstream G", "mef-nats", "G", "/github"),
    ours("mef jetstream always G", "mef-nats-always", "G", "/github"),
    run("handler + boto3 S", "handler:application", "S", "/zoom"),
    run("handler + boto3 G", "handler:application", "G", "/github"),
    run("bottle + gunicorn S", "web:application", "S", "/zoom"),
    run("bottle + gunicorn G", "web:application", "G", "/github"),
    run("nginx G", "nginx", "G", "/github"),
    run("benthos G", "benthos", "G", "/github"),
    run("benthos M", "benthos", "M", "/github"),
    spoiled("axum+hmac forged", "axum-hmac", "G", Spoiled::Signature, 401),
    spoiled("mef forged", "mef", "G", Spoiled::Signature, 401),
    spoiled("axum unsigned", "axum", "G", Spoiled::Header, 200),
    spoiled("mef unsigned", "mef", "G", Spoiled::Header, 401),
    // R: what abuse costs, a reason at a time.
    run("axum R", "axum", "R", "/github"),
    ours("mef R", "mef", "R", "/github"),
    spoiled("axum+hmac R forged", "axum-hmac", "R", Spoiled::Signature, 401),
    spoiled("mef R forged", "mef", "R", Spoiled::Signature, 401),
    spoiled("mef R unsigned", "mef", "R", Spoiled::Header, 401),
    spoiled("mef R schema", "mef", "R", Spoiled::Schema, 202),
    spoiled("mef R unparsable", "mef", "R", Spoiled::Cut, 202),
    spoiled("mef R unknown path", "mef", "R", Spoiled::Path, 404),
    spoiled("mef R too large", "mef", "R", Spoiled::Large, 413),
    // K: a connection for each request.
    spoiled("axum K", "axum", "G", Spoiled::Close, 200),
    spoiled("mef K", "mef", "G", Spoiled::Close, 202),
    spoiled("nginx K", "nginx", "G", Spoiled::Close, 200),
    spoiled("bottle + gunicorn K", "web:application", "G", Spoiled::Close, 200),
];

/// Runs that are repeated at a fixed rate, at these hundredths of what each reached by itself.
pub(crate) const OPENED: [&str; 6] = [
    "axum G",
    "mef G",
    "mef file G",
    "nginx G",
    "bottle + gunicorn G",
    "benthos G",
];
/// Those hundredths.
pub(crate) const SHARES: [u32; 4] = [30, 50, 70, 90];
/// The run that a burst is sent to.
pub(crate) const BURST: &str = "mef file G";
