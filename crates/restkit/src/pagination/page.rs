//! One page as it came, and what it says about the list.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::progress::Position;
use super::style::PageStyle;
use crate::decode;
use crate::error::{Error, ErrorKind};
use crate::response::Response;

/// What a service says about a page. Every member may be missing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PageInfo {
    /// The key of this page.
    pub from_key: Option<String>,
    /// The key of the next page; `None` at the end of the list.
    pub next_key: Option<String>,
    /// The number of this page.
    pub current: Option<u64>,
    /// How many items a page holds.
    pub size: Option<u64>,
    /// How many items a page can hold at most.
    pub max_size: Option<u64>,
    /// The number of pages.
    pub total_pages: Option<u64>,
    /// The number of items on all pages.
    pub total_items: Option<u64>,
    /// The block as it came.
    pub raw: Option<Box<RawValue>>,
}

/// A page with its decoded items.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What the service said about the page, if it did.
    pub info: Option<PageInfo>,
    /// The place behind this page.
    pub next: Position,
}

/// A page whose items are still JSON text.
#[derive(Debug)]
pub(super) struct RawPage {
    pub(super) response: Response,
    pub(super) items: Vec<Range<usize>>,
    pub(super) info: Option<PageInfo>,
    /// The items stand in this member; `None` for a bare array.
    member: Option<String>,
}

impl RawPage {
    /// Takes a response apart.
    pub(super) fn parse(response: Response, style: &PageStyle) -> Result<Self, Error> {
        let body = response.body().clone();
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if start == Some(&b'[') {
            let items = elements(&body, &body, &response, "")?;
            return Ok(Self {
                response,
                items,
                info: None,
                member: None,
            });
        }
        let members: HashMap<String, &RawValue> = decode_borrowed(&body, &response, "")?;
        let info = match &style.info_member {
            None => Some(info(&whole_without(&members, &style.items_member), style)),
            Some(name) => match members.get(&**name) {
                None => None,
                Some(raw) if raw.get() == "null" => None,
                Some(raw) => {
                    let value: Value = decode_borrowed(raw.get().as_bytes(), &response, name)?;
                    let mut info = info(&value, style);
                    info.raw = Some((*raw).to_owned());
                    value.is_object().then_some(info)
                }
            },
        };
        let member = style.items_member.to_string();
        let items = match members.get(&member) {
            // An object without items is no page: taking it as an empty list would hide a failure.
            None => {
                let error = Error::custom(ErrorKind::Decode, "the response holds no items")
                    .with_path(member)
                    .with_body(&body);
                return Err(response.context(error));
            }
            Some(raw) if raw.get() == "null" => Vec::new(),
            Some(raw) => elements(&body, raw.get().as_bytes(), &response, &member)?,
        };
        Ok(Self {
            response,
            items,
            info,
            member: Some(member),
        })
    }

    /// Decodes one item; an error names its path in the page.
    pub(super) fn item<T: DeserializeOwned>(&self, index: usize) -> Result<T, Error> {
        let text = self
            .items
            .get(index)
            .and_then(|range| self.response.body().get(range.clone()))
            .unwrap_or_default();
        decode::from_slice(text).map_err(|mut fault| {
            let outer = format!("{}[{index}]", self.member.as_deref().unwrap_or_default());
            fault.path = decode::joined(&outer, Some(&fault.path));
            self.response.context(fault.into_error(text))
        })
    }

    /// Returns the text of all items, to recognise a page that came before.
    pub(super) fn items_text(&self) -> &[u8] {
        let body: &Bytes = self.response.body();
        match (self.items.first(), self.items.last()) {
            (Some(first), Some(last)) => body.get(first.start..last.end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Returns where the elements of `array` stand within `body`, of which it is a part.
fn elements(
    body: &[u8],
    array: &[u8],
    response: &Response,
    path: &str,
) -> Result<Vec<Range<usize>>, Error> {
    let raws: Vec<&RawValue> = decode_borrowed(array, response, path)?;
    let base = body.as_ptr() as usize;
    Ok(raws
        .into_iter()
        .map(|raw| {
            let text = raw.get();
            let start = text.as_ptr() as usize - base;
            start..start + text.len()
        })
        .collect())
}

fn decode_borrowed<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    response: &Response,
    path: &str,
) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|source| {
        let broken = decode::broken_at(response.body(), &source);
        let error = Error::new(ErrorKind::Decode)
            .with_body(response.body())
            .with_source(source);
        response.context(match broken.as_deref().unwrap_or(path) {
            "" => error,
            path => error.with_path(path),
        })
    })
}

/// Returns the members beside the items, for services that put facts about the page there.
fn whole_without(members: &HashMap<String, &RawValue>, items: &str) -> Value {
    members
        .iter()
        .filter(|(name, _)| *name != items)
        .filter_map(|(name, raw)| Some((name.clone(), serde_json::from_str(raw.get()).ok()?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn info(value: &Value, style: &PageStyle) -> PageInfo {
    let number = |name: &str| match value.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let key = |name: &str| match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    PageInfo {
        from_key: key("fromKey"),
        next_key: key(&style.next_member),
        current: number("current"),
        size: number("size"),
        max_size: number("maxSize"),
        total_pages: number("total"),
        total_items: number(&style.total_items_member),
        raw: None,
    }
}
