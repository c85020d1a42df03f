//! Whether two reports say the same: row by row, within what each of them scattered.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::goals::GOALS;
use crate::round::Figures;
use crate::table::{Spread, compared, text};

/// Two rows agree where the middle of one lies between the ends of the other. Prints every row.
#[expect(clippy::print_stdout, reason = "the rows are what was asked for")]
pub(crate) fn print(one: &Path, other: &Path) -> anyhow::Result<()> {
    let (one, other) = (read(one)?, read(other)?);
    let (of_one, of_other) = (compared(&one).0, compared(&other).0);
    let mut differ = Vec::new();
    println!("{:<66} {:>26} {:>26}", "goal", "one, min-max", "other, min-max");
    for goal in &GOALS {
        let a = Spread::of_goal(goal, &one, &of_one);
        let b = Spread::of_goal(goal, &other, &of_other);
        let verdict = match agree(a, b) {
            Some(true) => "agree",
            Some(false) => "DIFFER",
            None => "no figure in both",
        };
        if agree(a, b) == Some(false) {
            differ.push(goal.name);
        }
        let [a, b] = [a, b].map(|s| format!("{} {}-{}", text(s.middle), text(s.least), text(s.most)));
        println!("{:<66} {a:>26} {b:>26} {verdict}", goal.name);
    }
    if !differ.is_empty() {
        bail!(
            "{} of {} rows differ by more than either report scatters",
            differ.len(),
            GOALS.len()
        );
    }
    Ok(())
}

fn agree(a: Spread, b: Spread) -> Option<bool> {
    let within = |value: f64, spread: Spread| (spread.least..=spread.most).contains(&value);
    match a.middle.is_nan() || b.middle.is_nan() {
        true => None,
        false => Some(within(a.middle, b) || within(b.middle, a)),
    }
}

fn read(path: &Path) -> anyhow::Result<Figures> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: no report", path.display()))?;
    let figures = serde_json::from_str(&text);
    figures.with_context(|| format!("{}: not a report of `mef-bench table`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_agree_where_a_middle_lies_within_the_others_ends() {
        let of = |numbers: [f64; 3]| Spread::of(numbers.into_iter());
        assert_eq!(agree(of([1.0, 1.1, 1.2]), of([1.15, 1.3, 1.4])), Some(false));
        assert_eq!(agree(of([1.0, 1.1, 1.2]), of([1.05, 1.3, 1.4])), Some(true));
        assert_eq!(agree(of([1.0, 1.1, 1.2]), Spread::of(std::iter::empty())), None);
    }
}
