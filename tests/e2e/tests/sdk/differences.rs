//! The list of differences that are meant.

use mef_e2e::repository;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    libraries: Vec<String>,
    cases: Vec<String>,
    /// Which of the bodies, where it is not all.
    #[serde(default)]
    bodies: Option<Vec<usize>>,
    we: Verdict,
    /// The reason, with what the vendor says.
    why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Verdict {
    Accept,
    Refuse,
}

pub struct Differences {
    list: Vec<Difference>,
    /// Per entry, library and case: whether it occurred.
    seen: Vec<(usize, String, String)>,
}

impl Differences {
    pub fn read() -> Self {
        let text = std::fs::read_to_string(repository().join("tests/sdk/differences.yaml")).unwrap();
        let list: Vec<Difference> = serde_yaml::from_str(&text).unwrap();
        for difference in &list {
            assert!(difference.why.len() > 40, "{:?}: no reason", difference.libraries);
        }
        Self {
            list,
            seen: Vec::new(),
        }
    }

    /// Whether a difference is listed.
    pub fn explain(&mut self, library: &str, case: &str, body: usize, we_accept: bool) -> bool {
        let we = if we_accept {
            Verdict::Accept
        } else {
            Verdict::Refuse
        };
        let found = self.list.iter().position(|difference| {
            difference.we == we
                && difference.libraries.iter().any(|name| name == library)
                && difference.cases.iter().any(|name| name == case)
                && difference
                    .bodies
                    .as_ref()
                    .is_none_or(|bodies| bodies.contains(&body))
        });
        if let Some(index) = found {
            self.seen.push((index, library.to_owned(), case.to_owned()));
        }
        found.is_some()
    }

    /// What is listed and did not occur: then the list is no longer true.
    pub fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for (index, difference) in self.list.iter().enumerate() {
            for library in &difference.libraries {
                for case in &difference.cases {
                    let key = (index, library.clone(), case.clone());
                    if !self.seen.contains(&key) {
                        unused.push(format!(
                            "{library}, {case}: listed as a difference, but both sides agree"
                        ));
                    }
                }
            }
        }
        unused
    }
}
