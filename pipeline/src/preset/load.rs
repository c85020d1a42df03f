//! The embedded presets, and the way of a preset's text into one.

use std::sync::OnceLock;

use super::Preset;
use crate::diagnostics::{Problem, has_errors};

/// Each embedded preset's name and text.
macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../presets/", $name, ".yaml")))),*]
    };
}

pub(super) const EMBEDDED: &[(&str, &str)] = embedded![
    "aikido",
    "auth0-events",
    "auth0-logs",
    "basic",
    "bearer",
    "bitbucket",
    "box",
    "checkmarx",
    "cloudevents-http",
    "cloudflare-logpush",
    "cloudflare-notify",
    "convoy-advanced",
    "crowdstrike",
    "datadog",
    "discord",
    "docusign",
    "dropbox",
    "eventgrid",
    "generic-hmac",
    "gitguardian",
    "github",
    "github-secret-scanning",
    "gitlab",
    "gitlab-token",
    "google-pubsub",
    "graph",
    "hubspot-v1",
    "hubspot-v2",
    "hubspot-v3",
    "jira-admin",
    "launchdarkly",
    "linear",
    "mailgun",
    "meta",
    "mozdef-event-framework",
    "notion",
    "okta",
    "pagerduty",
    "rfc9421",
    "rfc9421-strict",
    "sendgrid",
    "sentry",
    "shopify",
    "slack",
    "sns",
    "snyk",
    "sonarqube",
    "splunk-hec",
    "ssf-set",
    "standard-webhooks",
    "stripe",
    "svix",
    "tailscale",
    "terraform-cloud",
    "trello",
    "twilio-form",
    "twilio-json",
    "wiz",
    "workos",
    "x",
    "zendesk",
    "zoom",
];

impl Preset {
    /// All embedded presets, by name.
    ///
    /// Each of them passes [`Preset::from_yaml`], which a test of this crate makes sure of.
    #[must_use]
    pub fn all() -> &'static [Self] {
        static PRESETS: OnceLock<Vec<Preset>> = OnceLock::new();
        PRESETS.get_or_init(|| {
            EMBEDDED
                .iter()
                .filter_map(|(_, text)| serde_yaml::from_str(text).ok())
                .collect()
        })
    }

    /// The embedded preset of a name.
    #[must_use]
    pub fn get(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|preset| preset.name == name)
    }

    /// Reads and checks a preset.
    ///
    /// # Errors
    /// Every problem at once, each with the path of its field: an unknown key or wrong type (the first of them only, with
    /// its line), or whatever [`Preset::check`] finds.
    pub fn from_yaml(text: &str) -> Result<Self, Vec<Problem>> {
        let preset: Self = serde_yaml::from_str(text).map_err(|error| {
            let problem = Problem::error("", format!("this is no preset: {error}"));
            let number = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
            vec![match error.location() {
                Some(place) => problem.at(number(place.line()), number(place.column())),
                None => problem,
            }]
        })?;
        let problems = preset.check();
        if has_errors(&problems) {
            return Err(problems);
        }
        Ok(preset)
    }
}
