//! Connects Ctrl-C to the interrupt counter.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use clikit::{Exit, Interrupts, Press};

/// Starts to listen. From here on Ctrl-C no longer ends the process by itself.
///
/// While `asking` is set nothing is under way but a question, and the first press leaves at once: the
/// read of an answer cannot be ended in another way.
///
/// A thread of its own keeps listening whatever the program waits for, be it the network on either
/// face or a full pipe, so that the third press always ends the process.
///
/// # Errors
///
/// The operating system refuses the handler or the thread.
pub(crate) fn listen(interrupts: &Interrupts, asking: &Arc<AtomicBool>) -> io::Result<()> {
    let (interrupts, asking) = (interrupts.clone(), Arc::clone(asking));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    // Made here and not on the thread: once this function returns, no press is missed.
    let mut presses = {
        let _context = runtime.enter();
        presses()?
    };
    thread::Builder::new()
        .name("ctrl-c".into())
        .stack_size(STACK)
        .spawn(move || {
            runtime.block_on(async move {
                while presses.recv().await.is_some() {
                    if interrupts.press() == Press::Exit || asking.load(Ordering::SeqCst) {
                        std::process::exit(Exit::Interrupted.code().into());
                    }
                }
            });
        })?;
    Ok(())
}

#[cfg(unix)]
fn presses() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn presses() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

const STACK: usize = 256 * 1024;
