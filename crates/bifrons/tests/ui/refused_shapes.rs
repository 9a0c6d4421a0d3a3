//! Each shape without a blocking form is refused at the token that is the reason.

use std::{collections::HashMap, future::Future, pin::Pin, rc::Rc, task::Poll};

use bifrons::{BlockingError, dual};
use futures_core::Stream;

pub struct Client;

pub struct EventStream;

pub mod blocking {
    bifrons::blocking_type! { pub struct Client wraps crate::Client }
}

#[dual(blocking = blocking::Client, always)]
impl Client {
    pub async fn callback(&self, _visit: impl AsyncFn(u8)) {}

    pub async fn generic_callback<F, U>(&self, _visit: F)
    where
        F: Fn(u8) -> U,
        U: Future<Output = ()>,
    {
    }

    pub async fn stream_argument(&self, _items: impl Stream<Item = u8>) {}

    pub async fn reader<R: tokio::io::AsyncRead>(&self, _from: R) {}

    pub fn future(&self) -> impl Future<Output = u8> {
        async { 1 }
    }

    pub fn boxed_future(&self) -> Pin<Box<dyn Future<Output = u8> + Send>> {
        Box::pin(async { 1 })
    }

    pub async fn deep_self(&self) -> Result<HashMap<u8, Self>, BlockingError> {
        Ok(HashMap::new())
    }

    pub async fn deep_argument(&self, _others: &[Self]) {}

    pub fn self_reference(&self) -> &Self {
        self
    }

    pub async fn shared(self: Rc<Self>) {}

    pub async fn pinned(self: Pin<&mut Self>) {}

    pub async unsafe fn unsound(&self) {}

    pub extern "C" fn foreign(&self) {}

    pub fn events(&self) -> EventStream {
        EventStream
    }

    pub fn odd_stream(&self) -> (u8, Box<dyn Stream<Item = u8> + Send>) {
        (1, Box::new(Never))
    }
}

#[dual(blocking = blocking::Client, always)]
impl Drop for Client {
    fn drop(&mut self) {}
}

struct Never;

impl Stream for Never {
    type Item = u8;

    fn poll_next(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<u8>> {
        Poll::Ready(None)
    }
}

fn main() {}
