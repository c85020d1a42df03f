//! HTTP as bytes: a vector's request goes over the wire as it stands.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer without what is another every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Sends, and reads the answer until the other side closes.
pub(super) fn ask(socket: &str, request: &[u8]) -> Answered {
    let mut stream = TcpStream::connect(socket).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    // A request that is refused by its head may be answered before it is read whole.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answered {
        status: status.expect("a status"),
        headers: headers
            .filter(|(name, _)| !["date", "x-request-id", "x-mef-definition"].contains(&name.as_str()))
            .collect(),
        body: body.to_owned(),
    }
}
