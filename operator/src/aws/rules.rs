//! The rules that keep stacks and queues safe, by name. A program obeys all of them, always; only the model test can switch
//! one off, to show that it would notice.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Only who is in the pinned account and region is believed.
    PinnedCaller,
    /// Only a stack with the source's tags is touched.
    OwnTags,
    /// A stack that served is not deleted while its source lives.
    ServedStays,
    /// What cannot be seen is not gone.
    UnseenIsNotGone,
    /// An attempt that never arrived is made again, not another one.
    SameAttempt,
    /// Automatic attempts are counted and end.
    Bounded,
    /// The same hash is not sent again.
    SameHashIsQuiet,
    /// A create may still be on its way when nothing is seen of it.
    OnItsWay,
    /// The ingress stops before queues go.
    CloseFirst,
    /// Queues are read again after they seemed empty.
    ReadAgain,
    /// Messages keep a source from going.
    MessagesBlock,
}

#[cfg(test)]
thread_local! {
    static OFF: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
impl Rule {
    pub(crate) const ALL: [Self; 11] = [
        Self::PinnedCaller,
        Self::OwnTags,
        Self::ServedStays,
        Self::UnseenIsNotGone,
        Self::SameAttempt,
        Self::Bounded,
        Self::SameHashIsQuiet,
        Self::OnItsWay,
        Self::CloseFirst,
        Self::ReadAgain,
        Self::MessagesBlock,
    ];

    /// Runs something with a rule switched off.
    pub(crate) fn without<T>(rule: Option<Self>, run: impl FnOnce() -> T) -> T {
        OFF.set(rule);
        let result = run();
        OFF.set(None);
        result
    }
}

/// Whether a rule is obeyed.
#[cfg(not(test))]
pub(crate) const fn obeys(_: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) fn obeys(rule: Rule) -> bool {
    OFF.get() != Some(rule)
}
