//! A request of AWS's JSON protocols as a server of a test reads it.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The last word of the target: `SendMessage` and the like.
    pub(crate) action: String,
    /// The header that signs it.
    #[allow(dead_code, reason = "for who wants to know whether it was signed")]
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// The next request of a connection; none where it ends, or where that is none.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        action: header("x-amz-target")?.rsplit('.').next()?.to_owned(),
        authorization: header("authorization"),
        body: serde_json::from_slice(&body).ok()?,
    })
}
