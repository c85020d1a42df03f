//! The scripted CloudFormation behind a socket on loopback: AWS's Query protocol (form in, XML out,
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/making-api-requests.html>), and what of STS an operator
//! asks; beside it an agent that hands out credentials, as that of EKS Pod Identity does. Faults are put in front of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::cloud::{ApiError, Cloud, Create, Update};

/// What goes wrong with the next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused with this code and sentence.
    Refuse(u16, &'static str, &'static str),
    /// It is done, and answered with 500.
    DoneAndError,
    /// It is done, and the connection breaks.
    DoneAndSilent,
}

struct Inner {
    cloud: Cloud,
    /// Faults by action.
    faults: VecDeque<(String, Fault)>,
    /// Every call.
    calls: Vec<Call>,
    /// What lies in buckets, by path.
    objects: BTreeMap<String, Bytes>,
    /// Seconds that pass with every look at a stack.
    tick: i64,
    /// The URL of an SQS that has the queues; none: nobody asks for messages.
    queues: Option<String>,
    /// The status with which somebody else answers at the sources' URLs.
    stranger: Option<u16>,
    /// When credentials end that are handed out.
    end: String,
}

/// A call: what was asked, and what its signature says of whom and where.
#[derive(Clone)]
struct Call {
    action: String,
    key: String,
    region: String,
}

/// A server.
#[derive(Clone)]
pub(crate) struct Server {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

impl Server {
    /// Starts one on a free port of loopback.
    pub(crate) async fn start(account: &str, region: &str, now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Mutex::new(Inner {
            cloud: Cloud::new(account, region, now),
            faults: VecDeque::new(),
            calls: Vec::new(),
            objects: BTreeMap::new(),
            tick: 0,
            queues: None,
            stranger: None,
            end: "2099-01-01T00:00:00Z".to_owned(),
        }));
        let router = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("a whole server")
    }

    /// The next call of an action goes wrong.
    pub(crate) fn fault(&self, action: &str, fault: Fault) {
        self.lock().faults.push_back((action.to_owned(), fault));
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Cloud) -> T) -> T {
        change(&mut self.lock().cloud)
    }

    /// From now on so many seconds pass with every look at a stack.
    pub(crate) fn tick(&self, seconds: i64) {
        self.lock().tick = seconds;
    }

    /// From now on another server has the queues: what is asked of SQS is handed on to it, and outputs name it.
    pub(crate) fn queues_at(&self, url: &str) {
        self.lock().queues = Some(url.to_owned());
    }

    /// From now on somebody else answers at the sources' URLs with this status; none: the source itself.
    pub(crate) fn stranger_answers(&self, status: Option<u16>) {
        self.lock().stranger = status;
    }

    /// From now on credentials end then.
    pub(crate) fn end(&self, end: Timestamp) {
        self.lock().end = end.to_string();
    }

    /// What lies in buckets, by path.
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.lock().objects.clone()
    }

    /// Who signed calls of an action, by access key.
    pub(crate) fn signers(&self, of: &str) -> BTreeSet<String> {
        let calls = self.lock().calls.clone().into_iter();
        calls
            .filter(|call| call.action == of)
            .map(|call| call.key)
            .collect()
    }

    /// The regions that calls of an action were signed for.
    pub(crate) fn regions(&self, of: &str) -> BTreeSet<String> {
        let calls = self.lock().calls.clone().into_iter();
        calls
            .filter(|call| call.action == of)
            .map(|call| call.region)
            .collect()
    }

    /// Actions that were asked, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let calls = self.lock().calls.clone().into_iter();
        calls.map(|call| call.action).collect()
    }
}

impl Inner {
    /// What is to go wrong with this call.
    fn fault(&mut self, action: &str) -> Option<Fault> {
        let position = self.faults.iter().position(|(of, _)| of == action)?;
        self.faults.remove(position).map(|(_, fault)| fault)
    }

    fn record(&mut self, action: String, headers: &HeaderMap) {
        let mut scope = scope(headers);
        self.calls.push(Call {
            action,
            key: scope.remove(0),
            region: scope.get(1).cloned().unwrap_or_default(),
        });
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path().starts_with("/_aws/execute-api/") {
        return endpoint(&inner, &headers);
    }
    if uri.path() == AGENT {
        return agent(&mut inner.lock().expect("a whole server"), &headers);
    }
    if uri.path() != "/" {
        return object(&inner, &method, uri.path(), body);
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let asks_sqs = target.and_then(|target| target.strip_prefix("AmazonSQS."));
    if let Some(action) = asks_sqs {
        let queues = {
            let mut inner = inner.lock().expect("a whole server");
            inner.record(format!("sqs:{action}"), &headers);
            inner.queues.clone().expect("an SQS beside it")
        };
        let head =
            format!("x-amz-target: AmazonSQS.{action}\r\ncontent-type: application/x-amz-json-1.0\r\n");
        return handed_on(&queues, "sqs", &head, &body).await;
    }
    let form: BTreeMap<String, String> = form(&body);
    let action = form.get("Action").cloned().unwrap_or_default();
    let service = match action.as_str() {
        "GetQueueAttributes" | "ReceiveMessage" => "sqs",
        "GetMetricStatistics" => "monitoring",
        _ => "",
    };
    let (fault, key, queues) = {
        let mut inner = inner.lock().expect("a whole server");
        inner.record(action.clone(), &headers);
        (
            inner.fault(&action),
            scope(&headers).remove(0),
            inner.queues.clone(),
        )
    };
    if let Some(queues) = queues.filter(|_| !service.is_empty() && fault.is_none()) {
        let head = "content-type: application/x-www-form-urlencoded\r\n";
        return handed_on(&queues, service, head, &body).await;
    }
    let mut inner = inner.lock().expect("a whole server");
    if let Some(Fault::Refuse(http, code, message)) = fault {
        return refusal(&ApiError {
            http,
            code: code.to_owned(),
            message: message.to_owned(),
        });
    }
    if key.starts_with("EXPIRED") {
        // STS, common errors.
        return refusal(&ApiError {
            http: 403,
            code: "ExpiredToken".to_owned(),
            message: "The security token included in the request is expired".to_owned(),
        });
    }
    if action == "DescribeStacks" {
        let tick = inner.tick;
        inner.cloud.advance(tick);
    }
    let (queues, end) = (inner.queues.clone(), inner.end.clone());
    let done = act(&mut inner.cloud, &action, &form, &key, queues.as_deref(), &end);
    match fault {
        Some(Fault::DoneAndError) => refusal(&ApiError {
            http: 500,
            code: "InternalFailure".to_owned(),
            message: "The request processing has failed because of an unknown error".to_owned(),
        }),
        // A body that ends before its length says: the client sees a broken connection.
        Some(Fault::DoneAndSilent) => {
            let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("the reply is lost")) });
            axum::body::Body::from_stream(broken).into_response()
        }
        _ => match done {
            Ok(result) => (
                StatusCode::OK,
                [("content-type", "text/xml")],
                format!("<{action}Response><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"),
            )
                .into_response(),
            Err(error) => refusal(&error),
        },
    }
}

/// A source's own URL. A receiver refuses a probe; whoever else answers does not name a definition.
fn endpoint(inner: &Mutex<Inner>, headers: &HeaderMap) -> Response {
    let mut inner = inner.lock().expect("a whole server");
    inner.record("probe".to_owned(), &HeaderMap::new());
    assert!(
        headers.contains_key(mef_crds::PROBE_HEADER),
        "only probes are sent: {headers:?}"
    );
    match inner.stranger {
        Some(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        None => (
            StatusCode::UNAUTHORIZED,
            [(mef_crds::DEFINITION_HEADER, "3fa1c0ffee00")],
        )
            .into_response(),
    }
}

/// Where the agent answers.
pub(crate) const AGENT: &str = "/v1/credentials";

/// The agent of EKS Pod Identity: credentials for whoever brings the pod's token
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
fn agent(inner: &mut Inner, headers: &HeaderMap) -> Response {
    inner.record("agent".to_owned(), headers);
    if !headers.contains_key("authorization") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let end = &inner.end;
    let body = format!(
        "{{\"AccessKeyId\": \"AGENT\", \"SecretAccessKey\": \"x\", \"Token\": \"y\", \"Expiration\": \"{end}\"}}"
    );
    (StatusCode::OK, [("content-type", "application/json")], body).into_response()
}

/// What a MiniStack answers to a call. It takes an access key of twelve digits for the account.
async fn handed_on(to: &str, service: &str, more: &str, body: &[u8]) -> Response {
    let host = to.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("an SQS");
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\n{more}authorization: AWS4-HMAC-SHA256 \
         Credential=111122223333/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("it listens");
    stream.write_all(body).await.expect("it listens");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = StatusCode::from_u16(status.expect("a status")).expect("a status");
    let kind = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-type")
            .then(|| value.to_owned())
    });
    let kind = [("content-type", kind.unwrap_or_default())];
    (status, kind, answer.split_off(end)).into_response()
}

/// S3, path style: what was put is there.
fn object(inner: &Mutex<Inner>, method: &Method, path: &str, body: Bytes) -> Response {
    let mut inner = inner.lock().expect("a whole server");
    inner.record(format!("s3:{method}"), &HeaderMap::new());
    if *method == Method::PUT {
        inner.objects.insert(path.to_owned(), body);
        return StatusCode::OK.into_response();
    }
    let there = inner.objects.contains_key(path);
    (if there {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    })
    .into_response()
}

fn refusal(error: &ApiError) -> Response {
    let ApiError { http, code, message } = error;
    let whose = if *http >= 500 { "Receiver" } else { "Sender" };
    let body = format!(
        "<ErrorResponse><Error><Type>{whose}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>0</RequestId></ErrorResponse>",
        escaped(message)
    );
    let status = StatusCode::from_u16(*http).expect("a status");
    (status, [("content-type", "text/xml")], body).into_response()
}

/// Key, date, region and service of `Credential=KEY/date/region/service/aws4_request`; of an unsigned call one empty text.
fn scope(headers: &HeaderMap) -> Vec<String> {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let rest = authorization
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest);
    rest.split([',', '/']).map(str::to_owned).collect()
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn plain(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = (bytes[index] == b'%')
            .then(|| text.get(index + 1..index + 3))
            .flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                index += 3;
            }
            None => {
                plain.push(if bytes[index] == b'+' { b' ' } else { bytes[index] });
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// `Tags.member.1.Key`, `Tags.member.1.Value` …
fn tags(form: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of = |index: usize, part: &str| form.get(&format!("Tags.member.{index}.{part}")).cloned();
    (1..)
        .map_while(|index| Some((of(index, "Key")?, of(index, "Value")?)))
        .collect()
}

fn list(form: &BTreeMap<String, String>, name: &str) -> Vec<String> {
    (1..)
        .map_while(|index| form.get(&format!("{name}.member.{index}")).cloned())
        .collect()
}

fn act(
    cloud: &mut Cloud,
    action: &str,
    form: &BTreeMap<String, String>,
    key: &str,
    queues: Option<&str>,
    end: &str,
) -> Result<String, ApiError> {
    let get = |name: &str| form.get(name).cloned();
    let name = get("StackName").unwrap_or_default();
    let token = get("ClientRequestToken");
    let account = if key.starts_with("OTHER") {
        "444455556666".to_owned()
    } else {
        cloud.account.clone()
    };
    match action {
        "GetCallerIdentity" => Ok(format!("<Account>{account}</Account><Arn>arn:aws:iam::{account}:user/mef</Arn><UserId>{key}</UserId>")),
        "AssumeRole" | "AssumeRoleWithWebIdentity" => Ok(format!(
            "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken><Expiration>{end}</Expiration></Credentials>",
            if get("RoleArn").is_some_and(|role| role.contains(&cloud.account)) { "ASSUMED" } else { "OTHER" }
        )),
        // Whoever is of another account sees another account's stacks: none.
        _ if account != cloud.account => match action {
            "DescribeStacks" | "UpdateStack" | "DescribeStackEvents" => Err(ApiError {
                http: 400,
                code: "ValidationError".to_owned(),
                message: format!("Stack with id {name} does not exist"),
            }),
            _ => Ok(String::new()),
        },
        "DescribeStacks" => cloud.describe(&name).map(|found| stack(found, queues)),
        "DescribeStackEvents" => cloud.events(&name).map(|events| {
            let mut text = String::from("<StackEvents>");
            for event in events {
                let token = event.token.as_ref().map(|token| format!("<ClientRequestToken>{token}</ClientRequestToken>"));
                let _ = write!(
                    text,
                    "<member><EventId>{}</EventId><StackId>{}</StackId><StackName>{name}</StackName><LogicalResourceId>{}</LogicalResourceId><ResourceType>{}</ResourceType><ResourceStatus>{}</ResourceStatus><ResourceStatusReason>{}</ResourceStatusReason>{}<Timestamp>{}</Timestamp></member>",
                    event.at.as_second(), event.stack_id, event.logical_id, event.kind, event.status, escaped(&event.reason), token.unwrap_or_default(), event.at
                );
            }
            text + "</StackEvents>"
        }),
        "CreateStack" => cloud
            .create(Create {
                name,
                template: get("TemplateBody").unwrap_or_default(),
                tags: tags(form),
                token,
                capabilities: list(form, "Capabilities"),
                protected: get("EnableTerminationProtection").as_deref() == Some("true"),
                policy: get("StackPolicyBody"),
                on_failure: get("OnFailure"),
                disable_rollback: get("DisableRollback").as_deref() == Some("true"),
            })
            .map(|id| format!("<StackId>{id}</StackId>")),
        "UpdateStack" => cloud
            .update(Update {
                name,
                template: get("TemplateBody"),
                tags: tags(form),
                token,
                capabilities: list(form, "Capabilities"),
            })
            .map(|id| format!("<StackId>{id}</StackId>")),
        "GetQueueAttributes" => {
            let url = get("QueueUrl").unwrap_or_default();
            let queue = url.rsplit('/').next().unwrap_or_default();
            // The dead letters stay empty; the events are those of the stack.
            let count = if queue.ends_with("-dlq") { Some(0) } else { cloud.count(queue, 0) };
            Ok(format!("<Attribute><Name>ApproximateNumberOfMessages</Name><Value>{}</Value></Attribute>", count.unwrap_or(0)))
        }
        "ContinueUpdateRollback" => cloud.go_on(&name, token).map(|()| String::new()),
        "RollbackStack" => cloud.rollback(&name, token).map(|()| String::new()),
        "UpdateTerminationProtection" => {
            let on = get("EnableTerminationProtection").as_deref() == Some("true");
            cloud.protect(&name, on).map(|()| format!("<StackId>{name}</StackId>"))
        }
        "DeleteStack" => {
            let special = !list(form, "RetainResources").is_empty() || get("DeletionMode").as_deref() == Some("FORCE_DELETE_STACK");
            cloud.delete(&name, token, special).map(|()| String::new())
        }
        other => Err(ApiError {
            http: 400,
            code: "InvalidAction".to_owned(),
            message: format!("Could not find operation {other}"),
        }),
    }
}

fn stack(stack: &super::cloud::Stack, queues: Option<&str>) -> String {
    let mut tags = String::new();
    for (key, value) in &stack.tags {
        let _ = write!(
            tags,
            "<member><Key>{key}</Key><Value>{}</Value></member>",
            escaped(value)
        );
    }
    let mut outputs = String::new();
    if stack.live {
        let base = match queues {
            Some(url) => format!("{url}/111122223333"),
            None => "https://sqs.eu-central-1.amazonaws.com/111122223333".to_owned(),
        };
        let queue = format!("{base}/{}", stack.name);
        let values = [
            ("QueueUrl", queue.clone()),
            ("DeadLetterQueueUrl", format!("{queue}-dlq")),
            (
                "WebhookUrl",
                "https://abc.execute-api.eu-central-1.amazonaws.com/v1/zoom".to_owned(),
            ),
        ];
        for (key, value) in values {
            let _ = write!(
                outputs,
                "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
            );
        }
    }
    format!(
        "<Stacks><member><StackId>{}</StackId><StackName>{}</StackName><CreationTime>2026-01-02T03:04:05Z</CreationTime><StackStatus>{}</StackStatus><EnableTerminationProtection>{}</EnableTerminationProtection><Tags>{tags}</Tags><Outputs>{outputs}</Outputs></member></Stacks>",
        stack.id, stack.name, stack.status, stack.protected
    )
}
