//! AWS as one account and region see it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::call::{Ask, Http};
use super::xml;
use crate::aws::observe::root_cause;
use crate::aws::probe::Answer;
use crate::aws::refusal::{Kind, Refusal};
use crate::aws::requests::{self, Request, VERSION};
use crate::aws::stack::{Failure, Stack};
use crate::aws::wanted::Package;

/// Credentials are asked for again so long before they end.
const EARLY: SignedDuration = SignedDuration::from_secs(300);
/// Credentials that do not say when they end are asked for again after so long: the file they stand in may be another by then.
const UNDATED: SignedDuration = SignedDuration::from_secs(300);
/// Seconds a role is taken for.
const SESSION_SECONDS: &str = "3600";
/// Pages of events that are read for a cause.
const PAGES: usize = 5;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Who the operator is in an account.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its own credentials.
    pub base: SharedCredentialsProvider,
    /// The role it takes; none: its own credentials are of the account.
    pub role_arn: Option<String>,
    /// What the role asks for besides.
    pub external_id: Option<String>,
    /// What sessions are called, for whoever reads CloudTrail.
    pub session: String,
}

/// AWS as one account and region see it.
pub struct Client {
    http: Http,
    identity: Identity,
    region: String,
    suffix: &'static str,
    /// Its own credentials, and until when they are used. Asking for them may be a call to STS.
    base: Mutex<Option<(Credentials, Timestamp)>>,
    /// Those of the role, and until when they are used.
    assumed: Mutex<Option<(Credentials, Timestamp)>>,
    /// The account whose the credentials are, once that was asked.
    account: Mutex<Option<String>>,
}

impl Client {
    /// A client; nothing is asked yet.
    #[must_use]
    pub fn new(http: Http, identity: Identity, region: String, suffix: &'static str) -> Arc<Self> {
        Arc::new(Self {
            http,
            identity,
            region,
            suffix,
            base: Mutex::default(),
            assumed: Mutex::default(),
            account: Mutex::default(),
        })
    }

    async fn base(&self, now: Timestamp) -> Result<Credentials, Refusal> {
        let mut base = self.base.lock().await;
        if let Some(credentials) = still_used(base.as_ref(), now) {
            return Ok(credentials);
        }
        let found = self.identity.base.provide_credentials().await;
        let credentials = found.map_err(|error| Refusal {
            kind: Kind::Credentials,
            message: format!("the operator has no AWS credentials: {error}"),
        })?;
        let end = credentials.expiry().map(Timestamp::try_from);
        let until = match end {
            Some(Ok(end)) => end - EARLY,
            _ => now + UNDATED,
        };
        *base = Some((credentials.clone(), until));
        Ok(credentials)
    }

    /// Forgets what AWS does not take: a file may hold other credentials by now, of another account.
    fn forget(&self) {
        // Whoever holds one of these is about to write it anew.
        if let Ok(mut base) = self.base.try_lock() {
            *base = None;
        }
        if let Ok(mut assumed) = self.assumed.try_lock() {
            *assumed = None;
        }
        if let Ok(mut account) = self.account.try_lock() {
            *account = None;
        }
    }

    /// The credentials calls are signed with: its own, or those of the role it takes.
    ///
    /// # Errors
    /// When there are none, or the role cannot be taken.
    pub async fn credentials(&self, now: Timestamp) -> Result<Credentials, Refusal> {
        let Some(role) = &self.identity.role_arn else {
            return self.base(now).await;
        };
        let mut assumed = self.assumed.lock().await;
        if let Some(credentials) = still_used(assumed.as_ref(), now) {
            return Ok(credentials);
        }
        let base = self.base(now).await?;
        let mut form = vec![
            ("RoleArn".to_owned(), role.clone()),
            ("RoleSessionName".to_owned(), self.identity.session.clone()),
            ("DurationSeconds".to_owned(), SESSION_SECONDS.to_owned()),
            ("Tags.member.1.Key".to_owned(), "mef-cluster".to_owned()),
            ("Tags.member.1.Value".to_owned(), self.identity.session.clone()),
        ];
        form.extend(
            self.identity
                .external_id
                .iter()
                .map(|id| ("ExternalId".to_owned(), id.clone())),
        );
        let asked = self
            .query("sts", "2011-06-15", "AssumeRole", form, &base, now)
            .await;
        // Whatever STS says about the role, the operator has no credentials in the account.
        let body = asked.map_err(|refusal| Refusal {
            kind: if refusal.kind == Kind::Denied || refusal.kind == Kind::Rejected {
                Kind::Credentials
            } else {
                refusal.kind
            },
            message: format!("the role {role} cannot be taken: {}", refusal.message),
        })?;
        let (key, secret, token, end) = xml::credentials(&body)?;
        // Whoever keeps them for longer than a call must know when to ask again.
        let until = end - EARLY;
        let seconds = u64::try_from(until.as_second()).unwrap_or_default();
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let credentials = Credentials::new(key, secret, Some(token), Some(expiry), "mef-operator");
        *assumed = Some((credentials.clone(), until));
        Ok(credentials)
    }

    pub(super) async fn query(
        &self,
        service: &'static str,
        version: &str,
        action: &str,
        parameters: Vec<(String, String)>,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let form = |parameters: Vec<(String, String)>| {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("Action", action).append_pair("Version", version);
            form.extend_pairs(parameters).finish()
        };
        let ask = Ask {
            service,
            region: &self.region,
            own: format!("https://{service}.{}.{}", self.region, self.suffix),
            method: "POST",
            path: "/".to_owned(),
            content_type: Some(FORM),
            body: form(parameters).into(),
        };
        let (status, body) = self.http.send(ask, credentials, now).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if (200..300).contains(&status) {
            Ok(body)
        } else {
            let refusal = xml::refusal(action, status, &body);
            if refusal.kind == Kind::Credentials {
                self.forget();
            }
            Err(refusal)
        }
    }

    /// Asks CloudFormation.
    ///
    /// # Errors
    /// What it refuses, or that it did not answer.
    pub async fn ask(&self, request: Request, now: Timestamp) -> Result<String, Refusal> {
        let credentials = self.credentials(now).await?;
        self.query(
            "cloudformation",
            VERSION,
            request.action,
            request.parameters,
            &credentials,
            now,
        )
        .await
    }

    /// The account whose the credentials are, by AWS's own word; asked once.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub async fn caller(&self, now: Timestamp) -> Result<String, Refusal> {
        let mut known = self.account.lock().await;
        if let Some(account) = known.as_ref() {
            return Ok(account.clone());
        }
        let credentials = self.credentials(now).await?;
        let body = self
            .query(
                "sts",
                "2011-06-15",
                "GetCallerIdentity",
                Vec::new(),
                &credentials,
                now,
            )
            .await?;
        let account = xml::account(&body)?;
        *known = Some(account.clone());
        Ok(account)
    }

    /// The stack of a name or an ARN; none where AWS says there is none.
    ///
    /// # Errors
    /// When that cannot be known.
    pub async fn describe(&self, name: &str, now: Timestamp) -> Result<Option<Stack>, Refusal> {
        match self.ask(requests::describe(name), now).await {
            Ok(body) => xml::stack(&body).map(Some),
            Err(refusal) if refusal.kind == Kind::NotThere => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The root cause of a stack's last failure. A cause can be pages back.
    ///
    /// # Errors
    /// When the events cannot be read.
    pub async fn cause(&self, id: &str, now: Timestamp) -> Result<Option<Failure>, Refusal> {
        let mut events = Vec::new();
        let mut page = None;
        for _ in 0..PAGES {
            let body = self.ask(requests::events(id, page.as_deref()), now).await?;
            let (more, next) = xml::events(&body)?;
            events.extend(more);
            page = next;
            if page.is_none() {
                break;
            }
        }
        Ok(root_cause(events))
    }

    /// Asks a source's own URL whether it is the source's. A second try, because one that is lost on its way says nothing.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn probe(&self, url: &str, method: &str) -> Result<Answer, String> {
        match self.http.probe(url, method).await {
            Ok(answer) if answer.definition.is_some() => Ok(answer),
            _ => self.http.probe(url, method).await,
        }
    }

    fn object(&self, package: &Package, method: &'static str, body: Bytes) -> Ask<'_> {
        Ask {
            service: "s3",
            region: &self.region,
            own: format!("https://s3.{}.{}", self.region, self.suffix),
            method,
            path: format!("/{}/{}", package.bucket, package.key),
            content_type: None,
            body,
        }
    }

    /// Puts a package there unless it is there. Its name is made of its content, so one that is there is the same.
    ///
    /// # Errors
    /// When the bucket refuses, or does not answer.
    pub async fn put(
        &self,
        package: &Package,
        content: impl FnOnce() -> Bytes,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let credentials = self.credentials(now).await?;
        let (status, _) = self
            .http
            .send(self.object(package, "HEAD", Bytes::new()), &credentials, now)
            .await?;
        if status == 200 {
            return Ok(());
        }
        let (status, body) = self
            .http
            .send(self.object(package, "PUT", content()), &credentials, now)
            .await?;
        if status == 200 {
            return Ok(());
        }
        let said = xml::refusal("PutObject", status, &String::from_utf8_lossy(&body));
        Err(Refusal {
            // A bucket that is missing is nobody's outage.
            kind: if status < 500 {
                Kind::Denied
            } else {
                Kind::Unreachable
            },
            message: format!(
                "the package cannot be put into the bucket {}: {}",
                package.bucket, said.message
            ),
        })
    }
}

fn still_used(kept: Option<&(Credentials, Timestamp)>, now: Timestamp) -> Option<Credentials> {
    let (credentials, until) = kept?;
    (now < *until).then(|| credentials.clone())
}
