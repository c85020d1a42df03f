//! `mef send`: test deliveries, signed as the vendor would sign them, from the preset's examples and the source's samples.

mod delivery;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use mef_pipeline::diagnostics::{Problem, has_errors};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;

use self::delivery::{Event, Tamper, prepare};
use self::target::Target;
use crate::args::{DataArg, PresetArg, SecretFile, now};
use crate::failure::{Failure, Outcome};
use crate::layout::plural;
use crate::output::{Output, Style};
use crate::running::{Running, client};
use crate::secrets::Vault;
use crate::sources::{Loaded, tell};

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Send a signed test delivery to a source
///
/// The request is made of one of the preset's example bodies, or of one of the source's samples by its name, and signed with
/// the source's secret as the vendor would sign it. It goes to the running `mef dev`, or to --to.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef send zoom.yaml                                      lists the events
  mef send zoom.yaml user.created
  mef send zoom.yaml user.created --body @request-body.json
  mef send zoom.yaml user.created --tamper body           must be refused: exits with 1
  mef send zoom.yaml user.created --count 1000 --rate 50

Exit codes: 1 an answer was no success, 3 the endpoint cannot be reached.")]
pub(crate) struct Send {
    /// A file or folder with the source; - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The event, as user.created; without one the known events are listed
    event: Option<String>,
    #[command(flatten)]
    presets: PresetArg,
    /// Which source, where the FILE holds several
    #[arg(long)]
    source: Option<String>,
    /// The endpoint, or its address without a path; default: the running `mef dev`
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Send to an address that is not this machine: a test event will be in that system's queue, signed with the real secret
    #[arg(long)]
    yes_send_there: bool,
    /// How many deliveries
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How many of them per second; default: each as soon as the last is answered
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Another body: @FILE, @- for stdin, or the text itself
    #[arg(long, value_name = "@FILE")]
    body: Option<String>,
    /// Spoil the delivery after it is signed, to see it refused
    #[arg(long, value_enum, value_name = "WHAT")]
    tamper: Option<TamperArg>,
    /// A file that holds the value of a Secret's key, as zoom-webhook/secretToken=@token.txt
    #[arg(long, value_name = "NAME=@FILE")]
    secret: Vec<SecretFile>,
    #[command(flatten)]
    data: DataArg,
}

/// What is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TamperArg {
    /// One bit of the body is flipped.
    Body,
    /// It is signed with another secret.
    Signature,
    /// It is signed as if it were a day old.
    Time,
}

/// One answer of `-o json`. Stable.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered<'a> {
    source: &'a str,
    event: &'a str,
    url: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The definition that judged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    milliseconds: u64,
    body: String,
}

impl Send {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let data = self.data.folder();
        let running = Running::find(&data)?;
        let public_url = running.as_ref().and_then(|running| running.public_url.as_deref());
        let loaded = Loaded::read_sound(
            &self.presets.with(std::slice::from_ref(&self.file)),
            public_url,
            output,
        )?;
        let (compiled, mut references) = loaded.choose(self.source.as_deref())?;
        let event = self.event(&compiled.source, output)?;
        let target = Target::find(
            self.to.as_deref(),
            running.as_ref(),
            &compiled.source.path(),
            &data,
        )?;
        target.allow(self.yes_send_there)?;
        let vault = Vault {
            data: &data,
            given: &self.secret,
            keeps: false,
        };
        vault.refuse_unused(std::iter::once(compiled.source.definition()))?;
        vault.find(compiled.source.definition(), &mut references)?;
        let (keys, problems) = compiled.keys(&references);
        self.refuse_broken(&problems, output)?;
        self.send_all(&compiled.source, &event, &keys, &target, output)
    }

    /// The event to send. Without a known one the command ends with a list of those there are.
    fn event(&self, source: &Source, output: Output) -> Outcome<Event> {
        let known = delivery::known(source);
        let Some(wanted) = &self.event else {
            let names: Vec<_> = known.iter().map(|event| event.name.clone()).collect();
            if output.is_json() {
                output.document(&names)?;
            } else {
                output.line(names.join("\n"))?;
            }
            return Err(Failure::Usage(format!(
                "which event? Choose one: mef send {} EVENT",
                self.file.display()
            )));
        };
        let found = known.iter().find(|event| event.name == *wanted).cloned();
        let mut event = match (found, &self.body) {
            (Some(event), _) => event,
            // With a body of one's own the name is for the eye only, and the first example lends its headers.
            (None, Some(_)) if known.is_empty() => Event::bare(wanted),
            (None, _) => {
                let names: Vec<_> = known.iter().map(|event| event.name.as_str()).collect();
                return Err(Failure::Usage(format!(
                    "there is no example of an event {wanted:?}; there are {}",
                    names.join(", ")
                )));
            }
        };
        if let Some(body) = &self.body {
            event.body = match body.strip_prefix('@') {
                Some(file) => crate::files::read_bytes(std::path::Path::new(file))?,
                None => body.clone().into_bytes(),
            };
        }
        Ok(event)
    }

    fn refuse_broken(&self, problems: &[Problem], output: Output) -> Outcome {
        tell(problems, output);
        if has_errors(problems) {
            output.note(format!(
                "the delivery cannot be signed without the secret: `mef dev {}` makes one in {}, or give it with --secret",
                self.file.display(),
                self.data.folder().root().display()
            ));
            return Err(Failure::Reported);
        }
        Ok(())
    }

    fn send_all(
        &self,
        source: &Source,
        event: &Event,
        keys: &KeyRing,
        target: &Target,
        output: Output,
    ) -> Outcome {
        let tamper = self.tamper.map(|tamper| match tamper {
            TamperArg::Body => Tamper::Body,
            TamperArg::Signature => Tamper::Signature,
            TamperArg::Time => Tamper::Time,
        });
        let agent = client(Some(PATIENCE));
        let begun = Instant::now();
        let mut refused = 0_u64;
        for number in 0..self.count {
            if let Some(rate) = self.rate {
                let due = begun + Duration::from_secs(1) * number / rate;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let delivery = prepare(source, event, keys, tamper, now())?;
            let answered = target.post(&agent, delivery)?;
            refused += u64::from(!(200..300).contains(&answered.status));
            print(source, event, target, answered, output)?;
        }
        if self.count > 1 {
            let seconds = begun.elapsed().as_secs_f64();
            let all = plural(u64::from(self.count), "delivery").replace("deliverys", "deliveries");
            output.note(format!(
                "{all} in {seconds:.1} s, {refused} of them without success"
            ));
        }
        if refused == 0 {
            Ok(())
        } else {
            Err(Failure::Reported)
        }
    }
}

fn print(source: &Source, event: &Event, target: &Target, answer: target::Answer, output: Output) -> Outcome {
    let target::Answer {
        status,
        request_id,
        definition,
        body,
        milliseconds,
    } = answer;
    let body = String::from_utf8_lossy(&body).into_owned();
    if output.is_json() {
        let (id, url) = (source.id().to_owned(), target.url());
        return output.record(&Answered {
            source: &id,
            event: &event.name,
            url,
            status,
            request_id,
            definition,
            milliseconds,
            body,
        });
    }
    let style = if (200..300).contains(&status) {
        Style::Good
    } else {
        Style::Bad
    };
    let phrase = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or_default();
    let verdict = output.paint(style, format!("{status} {phrase}"));
    let mut line = format!("{verdict}  {} {} in {milliseconds} ms", source.id(), event.name);
    if let Some(id) = request_id {
        line.push_str(&format!("  request {id}"));
    }
    if !body.is_empty() {
        line.push_str(&format!("  {}", crate::output::printable(body.trim_end())));
    }
    output.line(line)
}
