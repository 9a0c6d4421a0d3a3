//! Sends that come while another one is under way share the next transaction.
//!
//! A send ends with a notification, and PostgreSQL lets one transaction at a time commit one: senders
//! on many connections wait for each other anyway. So the first send goes alone and at once, and those
//! that come meanwhile go together when it is done. Nobody waits for a timer.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::storage::On;
use crate::storage::postgres::Postgres;
use crate::storage::send::{Outgoing, SendOutcome};

/// How many sends share a transaction at most.
const MOST: usize = 200;
/// How often a group that was refused is tried without the command that was the reason.
const REFUSALS: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Sends {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody has the turn.
    busy: bool,
    waiting: VecDeque<Waiting>,
}

/// A send of one command, and where its outcome goes.
#[derive(Debug)]
struct Waiting {
    send: Outgoing,
    outcome: oneshot::Sender<Result<SendOutcome>>,
}

/// The right to send. When it ends, however it ends, it is passed on to those who wait.
struct Turn {
    postgres: Postgres,
    /// It belongs to the task that sends for others.
    is_task: bool,
}

impl Sends {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes sends that can share a transaction: of one domain and delay, and of different commands.
    fn take(&self) -> Vec<Waiting> {
        let mut state = self.lock();
        let mut taken: Vec<Waiting> = Vec::new();
        let mut left = VecDeque::new();
        let mut ids = HashSet::new();
        while let Some(next) = state.waiting.pop_front() {
            if next.outcome.is_closed() {
                // Its sender gave up; nothing was sent.
                continue;
            }
            let fits = taken.first().is_none_or(|first| {
                first.send.domain == next.send.domain && first.send.delay == next.send.delay
            });
            let id = next.send.commands.first().map(|command| command.id);
            if fits && taken.len() < MOST && ids.insert(id) {
                taken.push(next);
            } else {
                left.push_back(next);
            }
        }
        state.waiting = left;
        taken
    }
}

impl Postgres {
    /// Sends one command, alone or together with others that are sent at the same time.
    pub(super) async fn send_together(&self, send: Outgoing) -> Result<SendOutcome> {
        let outcome = {
            let mut state = self.sends.lock();
            if state.busy {
                let (outcome, told) = oneshot::channel();
                state.waiting.push_back(Waiting {
                    send: send.clone(),
                    outcome,
                });
                Some(told)
            } else {
                state.busy = true;
                None
            }
        };
        match outcome {
            Some(told) => told.await.unwrap_or_else(|_| {
                Err(
                    Error::database("the runtime that was sending ended: send the command again")
                        .retryable(true),
                )
            }),
            None => {
                let turn = Turn {
                    postgres: self.clone(),
                    is_task: false,
                };
                let outcome = self.send_group(On::Own, &send).await;
                drop(turn);
                outcome
            }
        }
    }

    /// Sends for those who wait, until nobody does.
    async fn send_for_others(self, turn: Turn) {
        loop {
            let group = self.sends.take();
            if group.is_empty() {
                break;
            }
            self.send_for(group).await;
        }
        drop(turn);
    }

    async fn send_for(&self, mut waiting: Vec<Waiting>) {
        for _ in 0..REFUSALS {
            let Some(together) = joined(&waiting) else {
                return;
            };
            match self.send_group(On::Own, &together).await {
                Ok(SendOutcome::Sent(ids)) => {
                    for (waiting, id) in waiting.into_iter().zip(ids) {
                        waiting.tell(Ok(SendOutcome::Sent(vec![id])));
                    }
                    return;
                }
                // The reason may be one of them; the others are tried without it.
                Ok(refusal) => {
                    let (concerned, others) = split(waiting, &refusal);
                    for waiting in concerned {
                        waiting.tell(Ok(refusal.clone()));
                    }
                    waiting = others;
                }
                // A failure of the database may still be about one command, such as text it cannot
                // store: each learns its own.
                Err(_) => break,
            }
        }
        for waiting in waiting {
            let outcome = self.send_group(On::Own, &waiting.send).await;
            waiting.tell(outcome);
        }
    }
}

impl Waiting {
    fn tell(self, outcome: Result<SendOutcome>) {
        // A sender that gave up does not hear it.
        drop(self.outcome.send(outcome));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.postgres.sends.lock();
        if state.waiting.is_empty() {
            state.busy = false;
            return;
        }
        match Handle::try_current() {
            Ok(runtime) if !self.is_task => {
                drop(state);
                let postgres = self.postgres.clone();
                let turn = Self {
                    postgres: postgres.clone(),
                    is_task: true,
                };
                drop(runtime.spawn(postgres.send_for_others(turn)));
            }
            Ok(runtime) if self.is_task && state.waiting.iter().any(|w| !w.outcome.is_closed()) => {
                // Somebody came after the last look. If the runtime ends, the new task is dropped
                // before it begins, and comes here with nobody left to ask it.
                let late = std::mem::take(&mut state.waiting);
                state.busy = false;
                drop(state);
                let postgres = self.postgres.clone();
                drop(runtime.spawn(async move {
                    for waiting in late {
                        let outcome = postgres.send_group(On::Own, &waiting.send).await;
                        waiting.tell(outcome);
                    }
                }));
            }
            _ => {
                // Dropping what waits tells the senders.
                state.waiting.clear();
                state.busy = false;
            }
        }
    }
}

/// The sends as one.
fn joined(waiting: &[Waiting]) -> Option<Outgoing> {
    let (first, rest) = waiting.split_first()?;
    let mut together = first.send.clone();
    for other in rest {
        together
            .commands
            .extend(other.send.commands.iter().cloned());
    }
    Some(together)
}

/// Those whom a refusal concerns, and the others.
fn split(waiting: Vec<Waiting>, refusal: &SendOutcome) -> (Vec<Waiting>, Vec<Waiting>) {
    let (concerned, others): (Vec<Waiting>, Vec<Waiting>) =
        waiting.into_iter().partition(|waiting| {
            waiting.send.commands.iter().any(|command| match refusal {
                SendOutcome::Duplicate(_, id) => command.id == *id,
                SendOutcome::QueueNotFound(queue) => {
                    command
                        .reply_to
                        .as_ref()
                        .is_some_and(|reply| reply.as_str() == queue)
                        || waiting.send.domain.command_queue().as_str() == queue
                }
                _ => false,
            })
        });
    (concerned, others)
}
