//! How a service speaks about pages.

use std::borrow::Cow;

type Name = Cow<'static, str>;

/// Describes how a service hands out a list in pages.
///
/// | style | next page is asked for by | the list ends when |
/// |---|---|---|
/// | [`key`](Self::key) | the `nextKey` of the page before | there is no next key |
/// | [`number`](Self::number) | a page number | the last page of a known total, an empty page, one shorter than its reported size, or one without a block about pages |
/// | [`offset`](Self::offset) | the number of items to skip | the known total is reached, or an empty page |
/// | [`single`](Self::single) | | after the first page |
///
/// A page is a JSON object with the items in one member and facts about the page in another. Where
/// a bare array comes in its place, it is taken as the items; by offset the list then goes on until
/// an empty page, in the other styles it was the last page.
#[derive(Clone, Debug)]
pub struct PageStyle {
    pub(super) kind: Kind,
    pub(super) cursor_param: Name,
    pub(super) size_param: Option<Name>,
    pub(super) total_param: Option<Name>,
    pub(super) items_member: Name,
    pub(super) info_member: Option<Name>,
    pub(super) next_member: Name,
    pub(super) total_items_member: Name,
    pub(super) first_page: u64,
    pub(super) max_size: Option<u32>,
    pub(super) fallback_size: u32,
    pub(super) in_body: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Key,
    Number,
    Offset,
    Single,
}

impl PageStyle {
    /// Describes pages by key: `pageFromKey`, `pageSize`, `pageTotal`; `items`, `pages.nextKey`.
    #[must_use]
    pub fn key() -> Self {
        Self {
            kind: Kind::Key,
            cursor_param: "pageFromKey".into(),
            size_param: Some("pageSize".into()),
            total_param: Some("pageTotal".into()),
            items_member: "items".into(),
            info_member: Some("pages".into()),
            next_member: "nextKey".into(),
            total_items_member: "items".into(),
            first_page: 1,
            max_size: None,
            fallback_size: 50,
            in_body: false,
        }
    }

    /// Describes pages by number, from 1: `page`, `pageSize`, `pageTotal`; `items`, `pages`.
    #[must_use]
    pub fn number() -> Self {
        Self {
            kind: Kind::Number,
            cursor_param: "page".into(),
            ..Self::key()
        }
    }

    /// Describes pages by offset as OData does: `$skip`, `$top`, `$count`; `value`, `@odata.count`.
    #[must_use]
    pub fn offset() -> Self {
        Self {
            kind: Kind::Offset,
            cursor_param: "$skip".into(),
            size_param: Some("$top".into()),
            total_param: Some("$count".into()),
            items_member: "value".into(),
            info_member: None,
            total_items_member: "@odata.count".into(),
            ..Self::key()
        }
    }

    /// Describes a list that comes whole, in `items` or as a bare array.
    #[must_use]
    pub fn single() -> Self {
        Self {
            kind: Kind::Single,
            size_param: None,
            total_param: None,
            ..Self::key()
        }
    }

    /// Sets the parameter that says which page is wanted: key, number or offset.
    #[must_use]
    pub fn cursor_param(mut self, name: impl Into<Name>) -> Self {
        self.cursor_param = name.into();
        self
    }

    /// Sets the parameter for the number of items per page; `None` never sends one.
    #[must_use]
    pub fn size_param(mut self, name: Option<&'static str>) -> Self {
        self.size_param = name.map(Into::into);
        self
    }

    /// Sets the parameter that asks for totals with the value `true`; `None` never sends one.
    #[must_use]
    pub fn total_param(mut self, name: Option<&'static str>) -> Self {
        self.total_param = name.map(Into::into);
        self
    }

    /// Sets the member that holds the items.
    #[must_use]
    pub fn items_member(mut self, name: impl Into<Name>) -> Self {
        self.items_member = name.into();
        self
    }

    /// Sets the member that holds the facts about the page; `None` means that they stand beside the
    /// items.
    #[must_use]
    pub fn info_member(mut self, name: Option<&'static str>) -> Self {
        self.info_member = name.map(Into::into);
        self
    }

    /// Sets the member that holds the key of the next page.
    #[must_use]
    pub fn next_member(mut self, name: impl Into<Name>) -> Self {
        self.next_member = name.into();
        self
    }

    /// Sets the member that holds the number of all items.
    #[must_use]
    pub fn total_items_member(mut self, name: impl Into<Name>) -> Self {
        self.total_items_member = name.into();
        self
    }

    /// Sets the number of the first page. Default: 1.
    #[must_use]
    pub fn first_page(mut self, number: u64) -> Self {
        self.first_page = number;
        self
    }

    /// Sets the largest page size the service accepts; larger wishes are cut to it.
    #[must_use]
    pub fn max_size(mut self, items: u32) -> Self {
        self.max_size = Some(items.max(1));
        self
    }

    /// Sets the page size that is tried once when the service answers 400 to a larger one.
    /// Default: 50.
    #[must_use]
    pub fn fallback_size(mut self, items: u32) -> Self {
        self.fallback_size = items.max(1);
        self
    }

    /// Sends the parameters as members of the JSON body, for searches by POST.
    #[must_use]
    pub fn in_body(mut self) -> Self {
        self.in_body = true;
        self
    }
}
