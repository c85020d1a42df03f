//! How much a sender may ask of the edge. A value, so that tests can make each limit small.

use std::time::Duration;

/// Bounds of the source listener. Body size and acknowledgement budget are the source's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. One more takes the place of the one that has kept us waiting longest; where all are at work
    /// it is answered 503.
    pub max_connections: usize,
    /// How long a connection may keep us waiting before another may take its place.
    pub eviction_grace: Duration,
    /// Headers of one request; more are answered 431.
    pub max_header_count: usize,
    /// Bytes of request line and headers together; more are answered 431.
    pub max_header_bytes: usize,
    /// From the first wait for a request until its headers are complete, idle keep-alive time included. A request that
    /// was begun is answered 408.
    pub header_timeout: Duration,
    /// From the headers until the body is complete; then 408.
    pub body_timeout: Duration,
    /// How long the sender may take no byte of an answer before the connection is closed.
    pub write_timeout: Duration,
    /// Bytes of bodies held at once, over all requests, until they are kept or refused; then 503.
    pub max_bytes_in_flight: usize,
    /// After a shutdown is asked for: how long requests are still taken while readiness says no, so that a balancer
    /// looks elsewhere before connections are refused.
    pub drain_notice: Duration,
    /// After that: how long requests in flight may take to finish.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            eviction_grace: Duration::from_secs(1),
            max_header_count: 100,
            max_header_bytes: 32 * 1_024,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(15),
            // Two bodies of the largest size a source may allow, or some sixty of the default.
            max_bytes_in_flight: 64 * 1_024 * 1_024,
            drain_notice: Duration::ZERO,
            drain_timeout: Duration::from_secs(25),
        }
    }
}
