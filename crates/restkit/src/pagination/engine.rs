//! Which page comes next: the decisions, apart from the stream that follows them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::page::{PageInfo, RawPage};
use super::progress::{Cursor, Position, Stop};
use super::style::{Kind, PageStyle};
use crate::client::Client;
use crate::error::Error;
use crate::request::Request;

/// Fetches pages one by one and knows where it is.
pub(super) struct Engine {
    client: Client,
    request: Request,
    style: PageStyle,
    size: Option<u32>,
    /// The size comes from a place in the list and stays.
    resumed: bool,
    pub(super) with_total: bool,
    pub(super) cursor: Cursor,
    /// Items of the next page that were already handed out before it was asked for.
    skip: u64,
    first: bool,
    fell_back: bool,
    total_pages: Option<u64>,
    /// Fingerprints of the keys and pages that came before.
    seen: HashSet<u64>,
    fingerprints: RandomState,
}

/// A page and what follows it.
pub(super) struct Fetched {
    pub(super) page: RawPage,
    pub(super) here: Position,
    pub(super) next: Position,
    /// Items of this page that are not handed out: they were before.
    pub(super) skip: usize,
    /// Set where the page is the last one because something is wrong.
    pub(super) stop: Option<Stop>,
}

impl Engine {
    pub(super) fn new(client: Client, request: Request, style: PageStyle) -> Self {
        Self {
            client,
            request,
            style,
            size: None,
            resumed: false,
            with_total: false,
            cursor: Cursor::Start,
            skip: 0,
            first: true,
            fell_back: false,
            total_pages: None,
            seen: HashSet::new(),
            fingerprints: RandomState::new(),
        }
    }

    pub(super) fn resume(&mut self, position: Position) {
        // Page numbers and places within a page only mean the same with the same size.
        self.resumed = position.at != Cursor::Start || position.skip > 0 || position.size.is_some();
        if self.resumed {
            self.size = position.size;
        }
        self.cursor = position.at;
        self.skip = position.skip;
    }

    pub(super) fn set_size(&mut self, items: u32) {
        if !self.resumed {
            self.size = Some(items.max(1));
        }
    }

    /// Returns the place of the page that comes next.
    pub(super) fn position(&self) -> Position {
        Position {
            at: self.cursor.clone(),
            skip: self.skip,
            size: self.size,
        }
    }

    /// Cuts the page size to what is wanted at most, if everything fits on one page.
    pub(super) fn want_at_most(&mut self, items: u64) {
        if self.cursor == Cursor::Start
            && !self.resumed
            && let Ok(items) = u32::try_from(items)
            && items > 0
            && self.size.is_none_or(|size| size > items)
            && (self.size.is_some()
                || items <= self.style.max_size.unwrap_or(self.style.fallback_size))
        {
            self.size = Some(items);
        }
    }

    /// Fetches the page at the cursor and moves the cursor on. After an error it stays.
    pub(super) async fn fetch(&mut self) -> Result<Fetched, Error> {
        if let (Some(size), Some(max)) = (self.size, self.style.max_size) {
            self.size = Some(size.min(max));
        }
        let response = match self.send().await {
            Err(error) if self.may_fall_back(&error) => {
                let before = (self.cursor.clone(), self.skip, self.size);
                self.fall_back();
                match self.send().await {
                    Err(again) if again.status() == Some(StatusCode::BAD_REQUEST) => {
                        // The size was not the reason, so the first error is the one to tell.
                        (self.cursor, self.skip, self.size) = before;
                        return Err(error);
                    }
                    outcome => outcome?,
                }
            }
            outcome => outcome?,
        };
        let page = RawPage::parse(response, &self.style)?;
        Ok(self.accept(page))
    }

    async fn send(&self) -> Result<crate::Response, Error> {
        self.client.send(self.page_request()?).await
    }

    /// Builds the request for the page at the cursor.
    fn page_request(&self) -> Result<Request, Error> {
        let style = &self.style;
        let mut fields: Vec<(&str, Value)> = Vec::new();
        if let (Some(name), Some(size)) = (&style.size_param, self.size) {
            fields.push((name, size.into()));
        }
        if let (Some(name), true, true) = (&style.total_param, self.with_total, self.first) {
            fields.push((name, true.into()));
        }
        match &self.cursor {
            Cursor::Start | Cursor::End => {}
            Cursor::Key(key) => fields.push((&style.cursor_param, key.as_str().into())),
            Cursor::Page(number) | Cursor::Offset(number) => {
                fields.push((&style.cursor_param, (*number).into()));
            }
        }
        let request = self.request.clone();
        if style.in_body {
            return with_members(request, fields);
        }
        Ok(fields.into_iter().fold(request, |request, (name, value)| {
            let name = name.to_owned();
            match value {
                Value::String(text) => request.set_query(name, text),
                other => request.set_query(name, other),
            }
        }))
    }

    fn may_fall_back(&self, error: &Error) -> bool {
        error.status() == Some(StatusCode::BAD_REQUEST)
            && !self.fell_back
            && self.style.size_param.is_some()
            && self
                .size
                .is_some_and(|size| size > self.style.fallback_size)
    }

    /// Goes on with the smaller page size from the same place in the list.
    fn fall_back(&mut self) {
        let small = self.style.fallback_size;
        if let (Cursor::Page(page), Some(size)) = (&self.cursor, self.size) {
            let before = (page - self.style.first_page) * u64::from(size) + self.skip;
            self.cursor = Cursor::Page(self.style.first_page + before / u64::from(small));
            self.skip = before % u64::from(small);
        }
        self.size = Some(small);
        self.fell_back = true;
    }

    /// Decides what follows a page.
    fn accept(&mut self, mut page: RawPage) -> Fetched {
        let here = self.position();
        let count = page.items.len() as u64;
        let (next, stop) = self.next(&page, count);
        if stop == Some(Stop::Repeated) && self.style.kind != Kind::Key {
            // The page itself is the repetition; with keys only its successor would be.
            page.items.clear();
        }
        let skip = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(page.items.len());
        self.adopt_max_size(page.info.as_ref(), count);
        self.cursor = next;
        self.skip = 0;
        self.first = false;
        let next = self.position();
        Fetched {
            page,
            here,
            next,
            skip,
            stop,
        }
    }

    fn next(&mut self, page: &RawPage, count: u64) -> (Cursor, Option<Stop>) {
        const END: (Cursor, Option<Stop>) = (Cursor::End, None);
        const REPEATED: (Cursor, Option<Stop>) = (Cursor::End, Some(Stop::Repeated));
        match self.style.kind {
            Kind::Single => END,
            Kind::Key => {
                let Some(next) = page.info.as_ref().and_then(|info| info.next_key.clone()) else {
                    return END;
                };
                if let Cursor::Key(current) = &self.cursor {
                    self.seen.insert(self.fingerprints.hash_one(current));
                }
                if self.seen.contains(&self.fingerprints.hash_one(&next)) {
                    return REPEATED;
                }
                (Cursor::Key(next), None)
            }
            Kind::Number => {
                let Some(info) = page.info.as_ref() else {
                    return END;
                };
                let asked = match self.cursor {
                    Cursor::Page(number) => number,
                    _ => self.style.first_page,
                };
                if self.is_repetition(page, info, asked) {
                    return REPEATED;
                }
                self.total_pages = info.total_pages.or(self.total_pages);
                // After a change of size the number of pages is no longer the one that was told.
                let total = self
                    .total_pages
                    .filter(|_| !self.fell_back || info.total_pages.is_some());
                let ended = match total {
                    Some(total) => {
                        let pages = asked.saturating_sub(self.style.first_page) + 1;
                        pages >= total
                    }
                    None => count == 0 || info.size.is_some_and(|size| count < size),
                };
                if ended {
                    END
                } else {
                    (Cursor::Page(asked + 1), None)
                }
            }
            Kind::Offset => {
                let asked = match self.cursor {
                    Cursor::Offset(offset) => offset,
                    _ => 0,
                };
                let reached = asked + count;
                let total = page.info.as_ref().and_then(|info| info.total_items);
                if count == 0 || total.is_some_and(|total| reached >= total) {
                    return END;
                }
                if !self
                    .seen
                    .insert(self.fingerprints.hash_one(page.items_text()))
                {
                    return REPEATED;
                }
                (Cursor::Offset(reached), None)
            }
        }
    }

    /// Says whether a service that was asked for the next page has answered with one from before. A
    /// service that names the page that was asked for is believed.
    fn is_repetition(&mut self, page: &RawPage, info: &PageInfo, asked: u64) -> bool {
        let new = self
            .seen
            .insert(self.fingerprints.hash_one(page.items_text()));
        info.current != Some(asked) && !page.items.is_empty() && !new
    }

    /// Follows a service that tells of a smaller maximum than was asked for.
    fn adopt_max_size(&mut self, info: Option<&PageInfo>, count: u64) {
        let Some(max) = info.and_then(|info| info.max_size) else {
            return;
        };
        let Some(max) = u32::try_from(max).ok().filter(|max| *max > 0) else {
            return;
        };
        if self.size.is_none_or(|size| size <= max) {
            return;
        }
        // A page number means something else with another size, so there the service must have cut
        // this page already.
        let cut = info.and_then(|info| info.size) == Some(u64::from(max));
        if self.style.kind != Kind::Number || (cut && count <= u64::from(max)) {
            self.size = Some(max);
        }
    }
}

/// Sets members of a JSON object body.
fn with_members(request: Request, fields: Vec<(&str, Value)>) -> Result<Request, Error> {
    let no_object = || Error::configuration("the page parameters need a JSON object as body");
    let mut body = if request.body_bytes().is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(request.body_bytes())
            .map_err(|source| no_object().with_source(source))?
    };
    let members = body.as_object_mut().ok_or_else(no_object)?;
    for (name, value) in fields {
        members.insert(name.to_owned(), value);
    }
    if request.headers().contains_key(http::header::CONTENT_TYPE) {
        Ok(request.set_body(Bytes::from(body.to_string())))
    } else {
        request.json(&body)
    }
}
