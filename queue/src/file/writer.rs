//! The writer thread: takes all that waits, has it done as one batch, and waits again. No delay when idle.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::clock;
use super::command::Command;
use super::engine::Engine;

/// Bytes of messages that go into one batch, so that the first of them does not wait for too many others.
const BATCH_BYTES: usize = 8 << 20;
/// How long an idle queue goes without upkeep.
const IDLE: Duration = Duration::from_secs(60);

/// Runs until all senders are gone, then closes the lanes. The lock is given back after that.
pub(super) fn run(mut engine: Engine, commands: &Receiver<Command>, lock: Box<dyn Send>) {
    loop {
        match commands.recv_timeout(IDLE) {
            Ok(first) => engine.run(batch(first, commands)),
            Err(RecvTimeoutError::Timeout) => {
                let now = clock::read(&engine.clock);
                engine.upkeep(now);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    engine.close();
    drop(engine);
    drop(lock);
}

fn batch(first: Command, commands: &Receiver<Command>) -> Vec<Command> {
    let mut bytes = size(&first);
    let mut batch = vec![first];
    while bytes < BATCH_BYTES
        && let Ok(command) = commands.try_recv()
    {
        bytes += size(&command);
        batch.push(command);
    }
    batch
}

fn size(command: &Command) -> usize {
    match command {
        Command::Send(send) => send.permit.bytes,
        _ => 0,
    }
}
