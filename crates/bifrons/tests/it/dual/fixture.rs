//! A small client with one method of each accepted shape.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bifrons::BlockingError;
use futures_core::Stream;
use tokio::runtime::{Handle, Id};

#[derive(Debug)]
pub enum Error {
    Blocking(BlockingError),
    Said(&'static str),
}

impl From<BlockingError> for Error {
    fn from(error: BlockingError) -> Self {
        Self::Blocking(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocking(error) => error.fmt(f),
            Self::Said(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// An alias with one argument, as many crates have it.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// The runtime that polls or has entered this thread.
pub(crate) fn here() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// Gives `0..end`, yielding to the runtime before each odd number.
#[derive(Clone, Debug)]
pub struct Count {
    next: u32,
    end: u32,
    waited: bool,
}

impl Count {
    pub(crate) fn to(end: u32) -> Self {
        Self {
            next: 0,
            end,
            waited: false,
        }
    }
}

impl Stream for Count {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<u32>> {
        if self.next == self.end {
            return Poll::Ready(None);
        }
        if self.next % 2 == 1 && !self.waited {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}

/// Its items are results.
#[derive(Debug)]
pub struct Fallible(Count);

impl Stream for Fallible {
    type Item = Result<u32>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0)
            .poll_next(context)
            .map(|item| item.map(Ok))
    }
}

/// A stream with methods of its own, generic over its items.
#[derive(Clone, Debug)]
pub struct Paginator<T> {
    buffered: Vec<T>,
    left: u32,
    pages: u32,
    waited: bool,
}

impl<T: From<u32> + Unpin> Stream for Paginator<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(item) = self.buffered.pop() {
            return Poll::Ready(Some(Ok(item)));
        }
        if self.left == 0 {
            // Not fused: polled again, it would start anew.
            self.left = 1;
            return Poll::Ready(None);
        }
        if !self.waited {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        self.left -= 1;
        self.pages += 1;
        self.buffered = vec![T::from(2), T::from(1)];
        Poll::Ready(Some(Ok(T::from(0))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.buffered.len(), None)
    }
}

#[bifrons::dual(blocking = super::fixture::blocking::Paginator<T>, always)]
impl<T: From<u32> + Unpin + Send> Paginator<T> {
    /// Pages of three.
    pub fn new(pages: u32) -> Self {
        Self {
            buffered: Vec::new(),
            left: pages,
            pages: 0,
            waited: false,
        }
    }

    /// Pages read so far.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Reads the rest.
    pub async fn collect_all(mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(item) =
            std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context)).await
        {
            all.push(item?);
        }
        Ok(all)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Builder {
    name: String,
    steps: u32,
}

#[bifrons::dual(blocking = super::fixture::blocking::Builder, always)]
impl Builder {
    pub const fn new() -> Self {
        Self {
            name: String::new(),
            steps: 0,
        }
    }

    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self.steps += 1;
        self
    }

    pub fn shout(&mut self) -> &mut Self {
        self.name = self.name.to_uppercase();
        self.steps += 1;
        self
    }

    pub fn checked(self) -> Result<Self> {
        if self.name.is_empty() {
            Err(Error::Said("no name"))
        } else {
            Ok(self)
        }
    }

    #[blocking(wrap = blocking::Client)]
    pub async fn connect(self) -> Result<Client> {
        tokio::task::yield_now().await;
        Ok(Client::made(&self.name))
    }

    #[blocking(wrap = super::fixture::blocking::Client)]
    pub fn build(&self) -> Client {
        Client::made(&self.name)
    }
}

/// Counts how often it was dropped outside of a runtime.
#[derive(Debug, Default)]
pub struct Drops {
    pub(crate) inside: AtomicUsize,
    pub(crate) outside: AtomicUsize,
}

#[derive(Debug)]
struct OnDrop(Arc<Drops>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let counter = if here().is_some() {
            &self.0.inside
        } else {
            &self.0.outside
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug)]
pub struct Client {
    name: String,
    made_on: Option<Id>,
    used: bool,
    _on_drop: Option<Arc<OnDrop>>,
}

impl Client {
    fn made(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            made_on: here(),
            used: false,
            _on_drop: None,
        }
    }
}

impl Client {
    pub(crate) fn used(name: &str) -> Self {
        Self {
            used: true,
            ..Self::made(name)
        }
    }

    pub(crate) fn counting(drops: Arc<Drops>) -> Self {
        Self {
            _on_drop: Some(Arc::new(OnDrop(drops))),
            ..Self::made("counting")
        }
    }

    fn was_used(&self) -> bool {
        self.used
    }
}

#[bifrons::dual(blocking = super::fixture::blocking::Client, always)]
impl Client {
    // Constructors.

    pub fn new(name: &str) -> Self {
        Self::made(name)
    }

    pub async fn connect(name: &str) -> Result<Self, Error> {
        tokio::task::yield_now().await;
        if name.is_empty() {
            Err(Error::Said("no name"))
        } else {
            Ok(Self::made(name))
        }
    }

    pub async fn find(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self::made(name))
    }

    #[blocking(wrap = super::fixture::blocking::Builder)]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Its arguments are named like what the attribute makes.
    pub async fn clash(
        runtime: &str,
        __inner: u8,
        __bridge: u8,
        __runtime: u8,
        __value: u8,
    ) -> Result<Self> {
        Ok(Self::made(&format!(
            "{runtime}{}",
            __inner + __bridge + __runtime + __value
        )))
    }

    pub async fn version() -> Result<u32> {
        tokio::task::yield_now().await;
        Ok(7)
    }

    pub fn default_name() -> &'static str {
        "client"
    }

    // Plain methods.

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn made_on(&self) -> Option<Id> {
        self.made_on
    }

    pub fn entered(&self) -> Option<Id> {
        here()
    }

    pub fn with_name(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    // Async methods.

    pub async fn echo(&self, text: &str) -> Result<String> {
        tokio::task::yield_now().await;
        Ok(format!("{}: {text}", self.name))
    }

    pub async fn fail(&self) -> Result<()> {
        Err(Error::Said("on purpose"))
    }

    /// Returns its argument, at once or after `waits` timers.
    #[blocking(eager)]
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "such a method takes it too"
    )]
    pub async fn after(&mut self, waits: u32, value: u32) -> Result<u32> {
        for _ in 0..waits {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Ok(value)
    }

    pub async fn stall(&self) -> Result<()> {
        std::future::pending().await
    }

    pub async fn count(&self) -> usize {
        tokio::task::yield_now().await;
        self.name.len()
    }

    pub async fn rename(&mut self, mut name: String) {
        name.push('!');
        self.name = name;
    }

    pub async fn borrow<'a>(&'a self, _other: &str) -> Result<&'a str> {
        Ok(&self.name)
    }

    pub async fn close(mut self) -> Result<String> {
        Ok(std::mem::take(&mut self.name))
    }

    pub async fn share(self: Arc<Self>) -> Result<usize> {
        let (tx, rx) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { tx.send(self.name.len()) });
        rx.await.map_err(|_| Error::Said("lost"))
    }

    pub async fn unbox(self: Box<Self>) -> Result<String> {
        Ok(self.name)
    }

    pub async fn merge(&self, other: &Self, last: Self, (left, right): (u8, u8)) -> Result<String> {
        Ok(format!(
            "{}{}{}{left}{right}",
            self.name, other.name, last.name
        ))
    }

    pub async fn again(&self) -> Result<Vec<Self>> {
        Ok(vec![self.clone(), self.with_name("second")])
    }

    #[expect(clippy::use_self, reason = "the own type may be written out")]
    pub async fn maybe(&self, found: bool) -> Result<Option<Client>> {
        Ok(found.then(|| self.clone()))
    }

    // Generics.

    pub async fn parse<T>(&self) -> Result<T, Error>
    where
        T: FromStr + Send,
    {
        self.name.parse().map_err(|_| Error::Said("not that"))
    }

    pub async fn phantom<T: Default + Send, const N: usize>(
        &self,
        add: impl Into<usize> + Send,
    ) -> Result<usize> {
        let _marker = PhantomData::<T>;
        Ok(N + add.into() + size_of::<T>())
    }

    // Streams.

    pub fn numbers(&self, end: u32) -> impl Stream<Item = u32> + Send + use<> {
        Count::to(end)
    }

    pub fn borrowed(&self, end: u32) -> impl Stream<Item = Result<u32, Error>> + Send {
        let _ = self;
        Fallible(Count::to(end))
    }

    pub fn boxed(&self, end: u32) -> Pin<Box<dyn Stream<Item = u32> + Send + 'static>> {
        Box::pin(Count::to(end))
    }

    pub fn alias<'a>(&'a self, end: u32) -> BoxStream<'a, Result<u32>> {
        Box::pin(Fallible(Count::to(end)))
    }

    pub fn checked(&self, end: u32) -> Result<impl Stream<Item = u32> + Send + use<>, Error> {
        if end > 100 {
            Err(Error::Said("too many"))
        } else {
            Ok(Count::to(end))
        }
    }

    pub async fn open(&self, end: u32) -> Result<BoxStream<'static, u32>> {
        tokio::task::yield_now().await;
        Ok(Box::pin(Count::to(end)))
    }

    #[blocking(iter = Result<u32, Error>)]
    pub fn concrete(&self, end: u32) -> Fallible {
        Fallible(Count::to(end))
    }

    #[blocking(wrap = super::fixture::blocking::Paginator<u64>)]
    pub fn pages(&self, pages: u32) -> Paginator<u64> {
        Paginator::new(pages)
    }

    // Attributes.

    #[deprecated = "use `name`"]
    pub fn old_name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    #[cfg(any())]
    pub async fn absent(&self) -> NoSuchType {}

    pub async fn r#type(&self) -> Result<&'static str> {
        Ok("client")
    }

    #[blocking(skip = "takes an async callback")]
    pub async fn visit<F: AsyncFnOnce(&Self)>(&self, visit: F) {
        visit(self).await;
    }
}

/// A second block of the same type.
#[bifrons::dual(blocking = super::fixture::blocking::Client, part = "extra", always)]
impl Client {
    #[blocking(wrap = super::fixture::blocking::Client)]
    pub fn friends(&self) -> Vec<Self> {
        vec![self.with_name("a"), self.with_name("b")]
    }
}

pub mod blocking {
    use super::{Error, Result};

    bifrons::blocking_type! {
        #[derive(Clone, Debug)]
        #[blocking(used = super::Client::was_used)]
        pub struct Client wraps super::Client;

        /// By value only: no `Clone`.
        #[derive(Debug)]
        pub struct Builder wraps super::Builder;

        #[derive(Debug)]
        #[blocking(iter = Result<T, Error>)]
        pub struct Paginator<T> wraps super::Paginator<T> where T: From<u32> + Unpin + Send;
    }
}
