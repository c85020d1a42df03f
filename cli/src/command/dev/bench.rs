//! FILEs as they are now → sources at work: compiled, with secrets and an open queue each. Opens a queue once and keeps it.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mef_pipeline::definition::References;
use mef_pipeline::diagnostics::{Level, Problem, has_errors};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use mef_queue::file::FileQueue;
use mef_receiver::queue_settings::settings;
use mef_receiver::{Route, Table};

use super::Dev;
use crate::args::SecretFile;
use crate::data::DataFolder;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Input};
use crate::output::Output;
use crate::secrets::{Known, Vault};
use crate::sources::{Compiled, Loaded, Wishes, names, tell};

/// Where FILEs become sources at work.
pub(super) struct Bench {
    files: Vec<PathBuf>,
    /// What stdin held; it can be read once only.
    stdin: Option<Vec<u8>>,
    given: Vec<SecretFile>,
    public_url: Option<String>,
    data: DataFolder,
    queues: BTreeMap<String, Arc<FileQueue>>,
    /// A number for the FILEs as they were when they were last built from.
    taken: u64,
}

/// One source at work, for the texts about it.
#[derive(Clone)]
pub(super) struct AtWork {
    pub(super) source: Arc<Source>,
    pub(super) secrets: Vec<Known>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) file: PathBuf,
}

impl AtWork {
    /// Whether it has the same secrets as another; when they are valid is part of the definition.
    pub(super) fn has_secrets_of(&self, other: &Self) -> bool {
        let (own, others) = (self.keys.all(), other.keys.all());
        let mut pairs = own.iter().zip(others);
        own.len() == others.len() && pairs.all(|(one, other)| one.secret.expose() == other.secret.expose())
    }
}

/// What can be put to work.
pub(super) struct Built {
    pub(super) table: Table,
    pub(super) sources: Vec<AtWork>,
    /// Warnings.
    pub(super) problems: Vec<Problem>,
}

/// Why FILEs cannot be put to work.
pub(super) enum NotBuilt {
    /// They have mistakes.
    Problems(Vec<Problem>),
    /// Something they need cannot be had.
    Failed(Failure),
}

impl From<Failure> for NotBuilt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Bench {
    pub(super) fn new(dev: &Dev, data: DataFolder) -> Outcome<Self> {
        let files = dev.presets.with(&dev.files);
        let stdin = files.iter().any(|path| path == Path::new("-"));
        Ok(Self {
            files,
            stdin: if stdin {
                Some(files::read_bytes(Path::new("-"))?)
            } else {
                None
            },
            given: dev.secret.clone(),
            public_url: dev.public_url.clone(),
            data,
            queues: BTreeMap::new(),
            taken: 0,
        })
    }

    pub(super) fn data(&self) -> &DataFolder {
        &self.data
    }

    /// Builds for the first time: without a sound definition there is nothing to serve.
    pub(super) fn build(&mut self, output: Output) -> Outcome<Built> {
        match self.rebuild() {
            Ok(built) => Ok(built),
            Err(NotBuilt::Failed(failure)) => Err(failure),
            Err(NotBuilt::Problems(problems)) => {
                tell(&problems, output);
                Err(Failure::Reported)
            }
        }
    }

    /// Builds from FILEs as they are now.
    pub(super) fn rebuild(&mut self) -> Result<Built, NotBuilt> {
        let inputs = self.inputs();
        self.taken = number(&inputs);
        let inputs = inputs?;
        let wishes = Wishes {
            public_url: self.public_url.as_deref(),
            samples: true,
            shared_path: Some(Level::Error),
        };
        let mut loaded = Loaded::compile(inputs, wishes);
        loaded.secrets_come_later();
        let Loaded {
            files: _,
            sources,
            presets: _,
            mut references,
            mut problems,
        } = loaded;
        if has_errors(&problems) {
            return Err(NotBuilt::Problems(problems));
        }
        if sources.is_empty() {
            let nothing = format!("no EventSource in {}", names(&self.files));
            return Err(NotBuilt::Failed(Failure::Wrong(nothing)));
        }
        let mut ready = Vec::new();
        let vault = Vault {
            data: &self.data,
            given: &self.given,
            keeps: true,
        };
        vault.refuse_unused(sources.iter().map(|compiled| compiled.source.definition()))?;
        for compiled in sources {
            let secrets = vault.find(compiled.source.definition(), &mut references)?;
            ready.push((compiled, secrets));
        }
        let mut routes = Vec::new();
        let mut at_work = Vec::new();
        for (compiled, secrets) in ready {
            let Some((route, described)) = self.put_to_work(compiled, secrets, &references, &mut problems)?
            else {
                continue;
            };
            routes.push(route);
            at_work.push(described);
        }
        if has_errors(&problems) {
            return Err(NotBuilt::Problems(problems));
        }
        let table =
            Table::new(routes).map_err(|error| NotBuilt::Failed(Failure::Wrong(error.to_string())))?;
        Ok(Built {
            table,
            sources: at_work,
            problems,
        })
    }

    /// One source with its secrets and its queue; none where something is wrong with them.
    fn put_to_work(
        &mut self,
        compiled: Compiled,
        secrets: Vec<Known>,
        references: &References,
        problems: &mut Vec<Problem>,
    ) -> Outcome<Option<(Route, AtWork)>> {
        let (keys, found) = compiled.keys(references);
        let broken = has_errors(&found);
        problems.extend(found);
        if broken {
            return Ok(None);
        }
        let Compiled { source, manifest, .. } = compiled;
        let queue = self.queue(&source)?;
        let (source, keys) = (Arc::new(source), Arc::new(keys));
        let file = manifest.file().to_owned();
        let route = Route::new(source.clone(), keys.clone(), queue);
        Ok(Some((
            route,
            AtWork {
                source,
                secrets,
                keys,
                file,
            },
        )))
    }

    fn queue(&mut self, source: &Source) -> Outcome<Arc<FileQueue>> {
        let settings = settings(source);
        if let Some(open) = self.queues.get(source.id()) {
            open.configure(settings);
            return Ok(open.clone());
        }
        let path = self.data.queue(source.id());
        if let Some(parent) = path.parent() {
            crate::data::create_private_folder(parent)?;
        }
        let queue = Arc::new(FileQueue::open(&path, settings)?);
        self.queues.insert(source.id().to_owned(), queue.clone());
        Ok(queue)
    }

    fn inputs(&self) -> Outcome<Vec<Input>> {
        let mut inputs = Vec::new();
        for name in files::list(&self.files)? {
            let bytes = match &self.stdin {
                Some(stdin) if name == Path::new("-") => stdin.clone(),
                _ => files::read_bytes(&name)?,
            };
            let named = self.files.contains(&name);
            inputs.push(Input { name, bytes, named });
        }
        Ok(inputs)
    }

    /// A number for what the sources at work were built from.
    pub(super) fn built_from(&self, sources: &[AtWork]) -> (u64, u64) {
        (self.taken, self.secrets_number(sources))
    }

    /// The same for what is there now: it differs when a FILE or a secret's file has changed.
    pub(super) fn there_now(&self, sources: &[AtWork]) -> (u64, u64) {
        (number(&self.inputs()), self.secrets_number(sources))
    }

    fn secrets_number(&self, sources: &[AtWork]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let kept = sources
            .iter()
            .flat_map(|source| &source.secrets)
            .filter_map(|secret| secret.file.as_deref());
        for path in kept.chain(self.given.iter().map(|given| given.path.as_path())) {
            std::fs::read(path).ok().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A number that changes with the contents of files. Contents count, not times: some file systems know whole seconds only.
fn number(inputs: &Outcome<Vec<Input>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match inputs {
        Ok(inputs) => inputs
            .iter()
            .for_each(|input| (&input.name, &input.bytes).hash(&mut hasher)),
        Err(failure) => failure.to_string().hash(&mut hasher),
    }
    hasher.finish()
}
