//! The hand-over between calls and keeper under a model checker.
//!
//! This compiles the real source of the hand-over against primitives whose every interleaving the
//! checker chooses. A wake-up that is lost leaves all threads waiting, which it reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use handover::{Driver, Handover};

#[path = "../../src/handover.rs"]
mod handover;

/// The primitives of the checker, in the shape of `src/sync.rs`.
mod sync {
    use std::time::Duration;

    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        condvar.wait(guard).unwrap()
    }

    /// The checker has no clock. A short wait may end at any time, so it is a chance for others
    /// to run; a long one is a safety net that nothing may need, so it never ends by itself.
    pub(crate) fn wait_at_most<'a, T>(
        condvar: &Condvar,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> MutexGuard<'a, T> {
        if limit > super::GRACE {
            return wait(condvar, guard);
        }
        drop(guard);
        shuttle::thread::yield_now();
        lock(mutex)
    }
}

const GRACE: Duration = Duration::from_millis(2);

/// A runtime reduced to what the hand-over is about.
struct Model {
    handover: Handover,
    /// Held by the one who drives.
    seat: Mutex<()>,
    /// Tasks that wait to be run.
    alive: AtomicUsize,
    /// Tasks ever run.
    ran: Mutex<usize>,
    running: Condvar,
    kicked: Mutex<bool>,
    kick: Condvar,
    keepers: Mutex<Vec<thread::JoinHandle<()>>>,
    /// A drain has seen that no call is in progress and that none will come.
    drained: AtomicBool,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            handover: Handover::new(),
            seat: Mutex::new(()),
            alive: AtomicUsize::new(0),
            ran: Mutex::new(0),
            running: Condvar::new(),
            kicked: Mutex::new(false),
            kick: Condvar::new(),
            keepers: Mutex::new(Vec::new()),
            drained: AtomicBool::new(false),
        })
    }

    fn run_tasks(&self) {
        let tasks = self.alive.swap(0, Ordering::SeqCst);
        if tasks != 0 {
            *self.ran.lock().unwrap() += tasks;
            self.running.notify_all();
        }
    }

    /// A call. It waits for the seat, drives, may leave a task behind.
    fn call(self: &Arc<Self>, leaves_task: bool) {
        if self.handover.begin_call(&**self) {
            let _seat = self.seat.lock().unwrap();
            assert!(
                !self.drained.load(Ordering::SeqCst),
                "a call drives after the drain"
            );
            self.run_tasks();
            if leaves_task {
                self.alive.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.handover.end_call();
        self.look_after_tasks();
    }

    /// A task spawned outside of a call. Like the real runtime, it wakes whoever drives.
    fn spawn_outside(self: &Arc<Self>) {
        self.alive.fetch_add(1, Ordering::SeqCst);
        drop(self.kicked.lock().unwrap());
        self.kick.notify_all();
        self.look_after_tasks();
    }

    fn look_after_tasks(self: &Arc<Self>) {
        if self.handover.is_keeper_missing(&**self) {
            self.handover.want_keeper(|| {
                let model = Arc::clone(self);
                let keeper = thread::spawn(move || model.handover.keep(&*model, GRACE));
                self.keepers.lock().unwrap().push(keeper);
                Ok(())
            });
        }
    }

    /// Waits without calling until `tasks` have been run.
    fn wait_until_ran(&self, tasks: usize) {
        let mut ran = self.ran.lock().unwrap();
        while *ran < tasks {
            ran = self.running.wait(ran).unwrap();
        }
    }

    fn close_and_join(&self) {
        let far = Instant::now() + Duration::from_secs(3600);
        self.handover.close(self);
        assert!(self.handover.drain(far));
        self.drained.store(true, Ordering::SeqCst);
        assert!(self.handover.outlive_keeper(far));
        self.join_keeper();
    }

    fn join_keeper(&self) {
        let keepers = std::mem::take(&mut *self.keepers.lock().unwrap());
        assert!(keepers.len() <= 1, "{} keepers", keepers.len());
        for keeper in keepers {
            keeper.join().unwrap();
        }
    }
}

impl Driver for Model {
    fn alive_tasks(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    fn drive(&self) {
        let _seat = self.seat.lock().unwrap();
        let mut kicked = self.kicked.lock().unwrap();
        loop {
            self.run_tasks();
            if *kicked {
                break;
            }
            kicked = self.kick.wait(kicked).unwrap();
        }
        *kicked = false;
    }

    fn kick(&self) {
        *self.kicked.lock().unwrap() = true;
        self.kick.notify_one();
    }
}

/// Explores a scenario, half of the time at random and half with few, well-placed switches.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    const ROUNDS: usize = 2000;
    let scenario = Arc::new(scenario);
    let same = Arc::clone(&scenario);
    shuttle::check_random(move || same(), ROUNDS);
    shuttle::check_pct(move || scenario(), ROUNDS, 3);
}

#[test]
fn every_task_left_behind_is_run_without_a_further_call() {
    explore(|| {
        let model = Model::new();
        let callers: Vec<_> = [[true, false], [false, true]]
            .into_iter()
            .map(|calls| {
                let model = Arc::clone(&model);
                thread::spawn(move || calls.into_iter().for_each(|leaves| model.call(leaves)))
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        model.wait_until_ran(2);
        model.close_and_join();
    });
}

#[test]
fn tasks_spawned_outside_of_calls_are_run() {
    explore(|| {
        let model = Model::new();
        let spawner = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                model.spawn_outside();
                model.spawn_outside();
            })
        };
        model.call(false);
        spawner.join().unwrap();
        model.wait_until_ran(2);
        model.close_and_join();
    });
}

#[test]
fn a_call_always_gets_the_seat_from_the_keeper() {
    explore(|| {
        let model = Model::new();
        model.call(true);
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.call(false))
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        model.wait_until_ran(1);
        model.close_and_join();
    });
}

#[test]
fn closing_ends_the_keeper_whatever_it_is_doing() {
    explore(|| {
        let model = Model::new();
        let caller = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                model.call(true);
                model.call(true);
            })
        };
        model.close_and_join();
        caller.join().unwrap();
        // the calls after the close have started nothing
        model.close_and_join();
        assert_eq!(model.handover.active(), 0);
        assert_eq!(model.handover.begun(), 2);
    });
}

#[test]
fn closing_ends_a_keeper_that_is_about_to_drive() {
    explore(|| {
        let model = Model::new();
        model.spawn_outside();
        model.close_and_join();
    });
}

#[test]
fn closing_ends_a_keeper_that_goes_to_sleep() {
    explore(|| {
        let model = Model::new();
        model.spawn_outside();
        model.wait_until_ran(1);
        // takes the seat from the keeper, which finds no task and goes to sleep
        model.call(false);
        // as a drop does it, which waits for nothing
        model.handover.close(&*model);
        model.join_keeper();
    });
}

#[test]
fn a_task_spawned_while_the_keeper_goes_to_sleep_is_run() {
    explore(|| {
        let model = Model::new();
        model.spawn_outside();
        model.wait_until_ran(1);
        model.call(false);
        model.spawn_outside();
        model.wait_until_ran(2);
        model.close_and_join();
    });
}

#[test]
fn closing_waits_for_the_calls_in_progress() {
    explore(|| {
        let model = Model::new();
        model.call(true);
        let caller = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.call(false))
        };
        let closer = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.close_and_join())
        };
        caller.join().unwrap();
        closer.join().unwrap();
        assert!(model.handover.takeovers() <= 3);
    });
}
