//! What is not the operator: somebody who changes a stack by hand, senders, the consumer, and SQS that counts.

use super::*;

impl Cloud {
    /// Puts a stack into a status, as somebody else would, or as no emulator can.
    pub(crate) fn put(&mut self, name: &str, status: &'static str) {
        if let Some(index) = self.find(name) {
            let stack = &mut self.stacks[index];
            stack.plan.clear();
            stack.status = status;
            stack.token = None;
            if status == "DELETE_COMPLETE" {
                self.lost += stack.messages;
                stack.messages = 0;
                stack.live = false;
            }
        }
    }

    /// Messages that went with what somebody else deleted are nobody's fault here.
    pub(crate) fn forgive(&mut self) {
        self.lost = 0;
    }

    pub(crate) fn relabel(&mut self, name: &str, tags: BTreeMap<String, String>) {
        if let Some(index) = self.find(name) {
            self.stacks[index].tags = tags;
        }
    }

    /// A sender calls; whether it was acknowledged. A closed front turns it away.
    pub(crate) fn send(&mut self, name: &str) -> bool {
        let now = self.now;
        let Some(index) = self.find(name) else {
            return false;
        };
        let stack = &mut self.stacks[index];
        if !stack.live
            || stack.status == "DELETE_IN_PROGRESS"
            || stack.stable.0.contains("\"ThrottlingRateLimit\":0")
        {
            return false;
        }
        stack.messages += 1;
        stack.history.push((now, stack.messages));
        true
    }

    /// The consumer reads all.
    pub(crate) fn drain(&mut self, name: &str) {
        let now = self.now;
        if let Some(index) = self.find(name) {
            let stack = &mut self.stacks[index];
            stack.messages = 0;
            stack.history.push((now, 0));
        }
    }

    /// Messages as they were counted some seconds ago: SQS counts approximately, within a minute (SQS API, GetQueueAttributes).
    pub(crate) fn count(&self, name: &str, ago: i64) -> Option<u64> {
        let stack = &self.stacks[self.find(name)?];
        let then = self.now - SignedDuration::from_secs(ago);
        let known = stack.history.iter().rev().find(|(at, _)| *at <= then);
        stack.live.then(|| known.map_or(0, |(_, count)| *count))
    }
}
