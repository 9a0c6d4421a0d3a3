//! The two styles of pages.

use axum::response::Response;

use crate::{
    gateway::{Shape, ok_json},
    json::{Json, Null},
    problem::Problem,
    query::Query,
};

/// What a request by key asks for.
#[derive(Debug)]
pub(crate) struct KeyPage {
    size: usize,
    max: usize,
    total: bool,
    sent: Option<String>,
    after: Option<Position>,
    /// How many names for this place came before.
    round: u32,
    fingerprint: u32,
    shape: Shape,
}

/// Where a page by key continues: behind this record, which stood at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) last: u32,
    pub(crate) place: usize,
}

impl KeyPage {
    pub(crate) fn parse(query: &Query, max: usize, shape: Shape) -> Result<Self, Problem> {
        let fingerprint = hash(&query.fingerprint());
        let (size, max) = page_size(query, max, shape)?;
        let sent = query.one("pageFromKey")?.map(str::to_owned);
        let (after, round) = match &sent {
            None => (None, 0),
            Some(key) => {
                let (position, round) = decode(key, fingerprint)
                    .ok_or_else(|| Problem::bad_request("pageFromKey is not of this listing"))?;
                (Some(position), round)
            }
        };
        let total = query.boolean("pageTotal")?.unwrap_or(false);
        Ok(Self {
            size,
            max,
            total,
            sent,
            after,
            round,
            fingerprint,
            shape,
        })
    }

    /// Renders the page of a listing. `write` writes one record.
    pub(crate) fn render(
        &self,
        listing: &Listing<'_>,
        mut write: impl FnMut(u32, &mut Json),
    ) -> Response {
        let from = self.after.map_or(0, |position| listing.behind(position));
        let wanted = match self.shape {
            Shape { empty: true, .. } => 0,
            Shape { short: true, .. } => self.size.div_ceil(2),
            _ => self.size,
        };
        let end = (from + wanted).min(listing.len());
        let next = self.next_key(listing, from, end);
        let mut json = Json::with_capacity((end - from) * 1200 + 256);
        let items = |json: &mut Json| {
            for place in from..end {
                write(listing.at(place), json);
            }
        };
        render(&mut json, self.shape, items, |json| {
            json.optional("fromKey", self.sent.as_ref());
            match next {
                Some(key) => json.member("nextKey", key),
                // The end of a list is told in three ways; each listing sticks to one.
                None => match self.fingerprint % 3 {
                    0 => {}
                    1 => json.member("nextKey", Null),
                    _ => json.member("nextKey", ""),
                },
            }
            json.member("size", self.size);
            if self.total {
                json.member("total", listing.len().div_ceil(self.size));
                json.member("items", listing.len());
            }
            json.member("maxSize", self.max);
        });
        ok_json(json.finish())
    }

    fn next_key(&self, listing: &Listing<'_>, from: usize, end: usize) -> Option<String> {
        if self.shape.repeat_key && self.sent.is_some() {
            return self.sent.clone();
        }
        if self.shape.empty {
            // The same place under another name, so that it is not the key just sent.
            let position = self.after.unwrap_or(Position {
                last: u32::MAX,
                place: usize::MAX,
            });
            let round = self.round.wrapping_add(1);
            return Some(encode(position, self.fingerprint, round));
        }
        if end >= listing.len() || end == from {
            return None;
        }
        let position = Position {
            last: listing.at(end - 1),
            place: end - 1,
        };
        Some(encode(position, self.fingerprint, 0))
    }
}

/// The records of a listing, in its order.
pub(crate) enum Listing<'a> {
    /// All records of a fleet of this size.
    All(u32),
    /// These, in the order of their numbers.
    Ascending(&'a [u32]),
    /// These, in an order of their own.
    Sorted(&'a [u32]),
}

impl Listing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::All(count) => *count as usize,
            Self::Ascending(records) | Self::Sorted(records) => records.len(),
        }
    }

    fn at(&self, place: usize) -> u32 {
        match self {
            Self::All(_) => u32::try_from(place).unwrap_or(u32::MAX),
            Self::Ascending(records) | Self::Sorted(records) => records[place],
        }
    }

    /// Returns the place behind a position. Records may have left the listing since, and no other may be skipped for it.
    fn behind(&self, position: Position) -> usize {
        if position.place == usize::MAX {
            return 0;
        }
        match self {
            Self::All(_) => position.last as usize + 1,
            Self::Ascending(records) => records.partition_point(|record| *record <= position.last),
            Self::Sorted(records) => records
                .iter()
                .position(|record| *record == position.last)
                .map_or(position.place, |place| place + 1),
        }
        .min(self.len())
    }
}

/// What a request by offset asks for.
#[derive(Debug)]
pub(crate) struct OffsetPage {
    page: usize,
    size: usize,
    max: usize,
    total: bool,
    shape: Shape,
}

impl OffsetPage {
    pub(crate) fn parse(query: &Query, max: usize, shape: Shape) -> Result<Self, Problem> {
        let (size, max) = page_size(query, max, shape)?;
        Ok(Self {
            page: query.positive("page")?.unwrap_or(1),
            size,
            max,
            total: query.boolean("pageTotal")?.unwrap_or(false),
            shape,
        })
    }

    pub(crate) fn render(&self, count: usize, mut write: impl FnMut(usize, &mut Json)) -> Response {
        let from = (self.page - 1).saturating_mul(self.size).min(count);
        let end = (from + self.size).min(count);
        let mut json = Json::with_capacity((end - from) * 512 + 256);
        let items = |json: &mut Json| {
            for place in from..end {
                write(place, json);
            }
        };
        render(&mut json, self.shape, items, |json| {
            json.member("current", self.page);
            json.member("size", self.size);
            if self.total {
                json.member("total", count.div_ceil(self.size));
                json.member("items", count);
            }
            json.member("maxSize", self.max);
        });
        ok_json(json.finish())
    }
}

fn render(
    json: &mut Json,
    shape: Shape,
    items: impl FnOnce(&mut Json),
    pages: impl FnOnce(&mut Json),
) {
    if shape.bare {
        json.array(items);
        return;
    }
    json.object(|json| {
        if shape.wrong_type {
            json.member("items", 17_u32);
        } else {
            json.member_array("items", items);
        }
        if !shape.without_pages {
            json.member_object("pages", pages);
        }
    });
}

/// Returns the size of the page and the maximum to report.
fn page_size(query: &Query, max: usize, shape: Shape) -> Result<(usize, usize), Problem> {
    let asked = query.positive("pageSize")?;
    let limit = shape.reject_above.unwrap_or(max).min(max);
    if asked.is_some_and(|asked| asked > limit) {
        return Err(Problem::bad_value("pageSize"));
    }
    let reported = shape.max.unwrap_or(limit).min(limit);
    Ok((asked.unwrap_or(DEFAULT_SIZE).min(reported), reported))
}

/// Writes a key. It holds characters that must be percent-encoded, and it knows its listing.
fn encode(position: Position, fingerprint: u32, round: u32) -> String {
    format!(
        "+/{fingerprint:08x}{:08x}{:x}.{round:x}==",
        position.last, position.place
    )
}

fn decode(key: &str, fingerprint: u32) -> Option<(Position, u32)> {
    let (body, round) = key
        .strip_prefix("+/")?
        .strip_suffix("==")?
        .split_once('.')?;
    if u32::from_str_radix(body.get(..8)?, 16).ok()? != fingerprint {
        return None;
    }
    let position = Position {
        last: u32::from_str_radix(body.get(8..16)?, 16).ok()?,
        place: usize::from_str_radix(body.get(16..)?, 16).ok()?,
    };
    Some((position, u32::from_str_radix(round, 16).ok()?))
}

/// FNV-1a: enough to tell two listings apart.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

const DEFAULT_SIZE: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_its_place_in_its_own_listing_only() {
        let position = Position {
            last: 499,
            place: 123,
        };
        let key = encode(position, 7, 0);
        assert_eq!(decode(&key, 7), Some((position, 0)));
        assert_eq!(decode(&key, 8), None);
        assert_eq!(decode("nonsense", 7), None);
        assert_ne!(key, encode(position, 7, 1));
    }

    #[test]
    fn records_that_left_the_listing_hide_no_others() {
        let position = Position { last: 5, place: 2 };
        assert_eq!(Listing::Ascending(&[1, 7, 9]).behind(position), 1);
        assert_eq!(Listing::Ascending(&[1, 5, 7]).behind(position), 2);
        assert_eq!(Listing::Sorted(&[9, 5, 1]).behind(position), 2);
        assert_eq!(Listing::All(4).behind(position), 4);
    }

    #[test]
    fn page_sizes_obey_the_maximum_and_the_faults() {
        let ask = |text: &str, shape| page_size(&Query::parse(text).unwrap(), 500, shape).ok();
        let plain = Shape::default();
        assert_eq!(ask("", plain), Some((50, 500)));
        assert_eq!(ask("pageSize=500", plain), Some((500, 500)));
        assert_eq!(ask("pageSize=501", plain), None);
        let small = Shape {
            max: Some(7),
            ..plain
        };
        assert_eq!(ask("pageSize=500", small), Some((7, 7)));
        let strict = Shape {
            reject_above: Some(60),
            ..plain
        };
        assert_eq!(ask("pageSize=61", strict), None);
        assert_eq!(ask("pageSize=50", strict), Some((50, 60)));
    }
}
