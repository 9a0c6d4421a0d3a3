use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use http::Method;

use super::pattern::Pattern;
use super::{MockRequest, MockTransport};
use crate::error::{Error, ErrorKind, Phase, TimeLimit};
use crate::middleware::{HopRequest, Reply};

/// A route of a [`MockTransport`] that is being described. It takes effect with its answer.
#[must_use = "a route does nothing until it has an answer"]
#[derive(Debug)]
pub struct MockRoute {
    mock: MockTransport,
    rule: Rule,
    times: Option<usize>,
}

/// Which requests a route is for.
#[derive(Clone, Default)]
pub(super) struct Rule {
    method: Option<Method>,
    url: Option<Pattern>,
    headers: Vec<(Box<str>, Box<[u8]>)>,
    query: Vec<(Box<str>, Box<str>)>,
    body: Option<Box<[u8]>>,
    tests: Vec<Test>,
}

type Test = Arc<dyn Fn(&MockRequest) -> bool + Send + Sync>;

impl MockRoute {
    pub(super) fn new(mock: MockTransport, rule: Rule) -> Self {
        Self {
            mock,
            rule,
            times: None,
        }
    }

    /// Answers only requests of this method.
    pub fn method(mut self, method: Method) -> Self {
        self.rule.method = Some(method);
        self
    }

    /// Answers only requests to this URL; see [`MockTransport::on`].
    pub fn url(mut self, url: &str) -> Self {
        self.rule.url = Some(Pattern::new(url));
        self
    }

    /// Answers only requests with this header field.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.rule.headers.push((name.into(), value.as_ref().into()));
        self
    }

    /// Answers only requests with this pair in their query, decoded.
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.rule.query.push((key.into(), value.into()));
        self
    }

    /// Answers only requests with exactly this body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.rule.body = Some(body.as_ref().into());
        self
    }

    /// Answers only requests of which this is true.
    pub fn when(mut self, test: impl Fn(&MockRequest) -> bool + Send + Sync + 'static) -> Self {
        self.rule.tests.push(Arc::new(test));
        self
    }

    /// Answers only so many requests. Without it a single answer is given any number of times.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Answers with this.
    pub fn reply(self, answer: impl Into<MockAnswer>) -> MockHandle {
        let answer = answer.into();
        self.add(Answers::Same(answer))
    }

    /// Answers with each of these once, in order.
    pub fn replies<A: Into<MockAnswer>>(self, answers: impl IntoIterator<Item = A>) -> MockHandle {
        self.add(Answers::Each(answers.into_iter().map(Into::into).collect()))
    }

    /// Answers with what this makes of the request.
    pub fn reply_with<A: Into<MockAnswer>>(
        self,
        make: impl Fn(&MockRequest) -> A + Send + Sync + 'static,
    ) -> MockHandle {
        self.add(Answers::Made(Arc::new(move |request| make(request).into())))
    }

    /// Lets the exchange fail.
    pub fn fail(self, fault: MockFault) -> MockHandle {
        self.reply(fault)
    }

    fn add(self, answers: Answers) -> MockHandle {
        let mut state = self.mock.lock();
        state.routes.push(Route {
            rule: self.rule,
            left: self.times,
            answers,
            hits: Vec::new(),
        });
        let at = state.routes.len() - 1;
        drop(state);
        MockHandle {
            mock: self.mock,
            at,
        }
    }
}

/// A route of a [`MockTransport`], to ask what came over it.
#[derive(Clone, Debug)]
pub struct MockHandle {
    mock: MockTransport,
    at: usize,
}

impl MockHandle {
    /// Returns how many requests the route answered.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.mock.lock().routes[self.at].hits.len()
    }

    /// Returns the requests that the route answered, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<MockRequest> {
        let state = self.mock.lock();
        let hits = state.routes[self.at].hits.iter();
        hits.map(|at| state.seen[*at].clone()).collect()
    }
}

/// What a route of a [`MockTransport`] answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MockAnswer {
    /// A response.
    Reply(Box<Reply>),
    /// A failure.
    Fault(MockFault),
}

impl From<Reply> for MockAnswer {
    fn from(reply: Reply) -> Self {
        Self::Reply(Box::new(reply))
    }
}

impl From<MockFault> for MockAnswer {
    fn from(fault: MockFault) -> Self {
        Self::Fault(fault)
    }
}

/// A way in which an exchange fails. For failures inside of a response see [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MockFault {
    /// The host is not found.
    HostNotFound,
    /// The host does not accept the connection.
    ConnectionRefused,
    /// The connection breaks after the request was sent.
    ConnectionReset,
    /// This time limit expires.
    Timeout(TimeLimit),
}

impl MockFault {
    pub(super) fn error(self, request: &HopRequest) -> Error {
        match self {
            Self::HostNotFound => {
                let cause = io::Error::new(io::ErrorKind::NotFound, "host not found");
                Error::new(ErrorKind::Dns, Phase::Resolve).with_source(cause)
            }
            Self::ConnectionRefused => {
                let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
                Error::new(ErrorKind::Connect, Phase::Connect).with_source(cause)
            }
            Self::ConnectionReset => {
                Error::network(io::ErrorKind::ConnectionReset.into(), Phase::Head).with_sent(true)
            }
            Self::Timeout(limit) => {
                let (phase, sent) = match limit {
                    TimeLimit::Pool => (Phase::Pool, false),
                    TimeLimit::Connect => (Phase::Connect, false),
                    TimeLimit::Tls => (Phase::Tls, false),
                    TimeLimit::Write => (Phase::Write, true),
                    _ => (Phase::Head, true),
                };
                let after = request.rules.clock.limit(limit).unwrap_or_default();
                Error::timeout(limit, after, phase).with_sent(sent)
            }
        }
    }
}

/// A route that takes part.
pub(super) struct Route {
    rule: Rule,
    left: Option<usize>,
    answers: Answers,
    /// Which requests it answered.
    hits: Vec<usize>,
}

enum Answers {
    Same(MockAnswer),
    Each(VecDeque<MockAnswer>),
    Made(Make),
}

type Make = Arc<dyn Fn(&MockRequest) -> MockAnswer + Send + Sync>;

/// An answer that may still have to be made, outside of the lock.
pub(super) enum Taken {
    Answer(MockAnswer),
    Make(Make),
}

impl Taken {
    pub(super) fn of(self, request: &MockRequest) -> MockAnswer {
        match self {
            Self::Answer(answer) => answer,
            Self::Make(make) => make(request),
        }
    }
}

impl Route {
    /// The next answer, if the route has one for this request.
    pub(super) fn take(&mut self, request: &MockRequest, at: usize) -> Option<Taken> {
        if self.left == Some(0) || !self.rule.matches(request) {
            return None;
        }
        let answer = match &mut self.answers {
            Answers::Same(answer) => Taken::Answer(answer.clone()),
            Answers::Each(answers) => Taken::Answer(answers.pop_front()?),
            Answers::Made(make) => Taken::Make(Arc::clone(make)),
        };
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        self.hits.push(at);
        Some(answer)
    }

    /// What was expected and did not come.
    pub(super) fn open(&self) -> Option<String> {
        let left = match (&self.answers, self.left) {
            (Answers::Each(answers), left) => answers.len().min(left.unwrap_or(usize::MAX)),
            (_, Some(left)) => left,
            (_, None) => 0,
        };
        (left > 0).then(|| format!("{} has {left} answers left", self.rule))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        let spent = self.left == Some(0)
            || matches!(&self.answers, Answers::Each(answers) if answers.is_empty());
        match spent {
            true => f.write_str(" (used up)"),
            false => Ok(()),
        }
    }
}

impl Rule {
    fn matches(&self, request: &MockRequest) -> bool {
        let value =
            |name: &str, value: &[u8]| request.headers().get_all(name).any(|it| it == value);
        let pair = |key: &str, value: &str| {
            let mut pairs = request.url().query_pairs();
            pairs.any(|(a, b)| a == key && b == value)
        };
        self.method
            .as_ref()
            .is_none_or(|method| method == request.method())
            && self
                .url
                .as_ref()
                .is_none_or(|url| url.matches(request.url()))
            && self.headers.iter().all(|(name, it)| value(name, it))
            && self.query.iter().all(|(key, it)| pair(key, it))
            && self
                .body
                .as_ref()
                .is_none_or(|body| **body == **request.body())
            && self.tests.iter().all(|test| test(request))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} ")?,
            None => f.write_str("any method ")?,
        }
        match &self.url {
            Some(url) => write!(f, "{url}")?,
            None => f.write_str("*")?,
        }
        // Values may be secrets.
        for (name, _) in &self.headers {
            write!(f, " with {name}")?;
        }
        for (key, value) in &self.query {
            write!(f, " with query {key}={value}")?;
        }
        if self.body.is_some() {
            f.write_str(" with a body")?;
        }
        if !self.tests.is_empty() {
            f.write_str(" with a condition")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
