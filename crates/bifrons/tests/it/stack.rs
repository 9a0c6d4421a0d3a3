//! Calls on small stacks.

use std::thread;
use std::time::Duration;

use bifrons::CallOptions;
use futures_util::stream;

use crate::isolated::isolated;
use crate::support::{mixed, runtime};

const STACK: usize = if cfg!(debug_assertions) {
    256 * 1024
} else {
    64 * 1024
};

isolated! {
    fn a_call_with_timer_task_and_socket_fits_a_small_stack() {
        let rt = runtime();
        let call = move || {
            let limits = CallOptions::default()
                .with_timeout(Duration::from_secs(20))
                .with_cancel(bifrons::CancelToken::new());
            assert_eq!(rt.block_on(mixed()).unwrap(), 42);
            assert_eq!(rt.block_on_with(&limits, mixed()).unwrap(), 42);
            assert_eq!(rt.run_many((0..40).map(|_| mixed())).unwrap(), [42; 40]);
            assert_eq!(rt.iter(stream::iter([1, 2])).count(), 2);
        };
        thread::Builder::new().stack_size(STACK).spawn(call).unwrap().join().unwrap();
    }
}
