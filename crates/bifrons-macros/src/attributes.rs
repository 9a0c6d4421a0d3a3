//! What authors write: the arguments of `#[dual]`, the `#[blocking(..)]` options of a method, and
//! the attributes that carry over to the blocking method.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, Path, Result, Token, Type,
    meta::ParseNestedMeta, parse::Parser, punctuated::Punctuated,
};

/// `#[dual(..)]`.
#[derive(Default)]
pub(crate) struct Arguments {
    /// The blocking type; without one, the block has no blocking form.
    pub(crate) blocking: Option<Type>,
    /// Distinguishes several blocks of one type in the parity test.
    pub(crate) part: String,
    /// Not behind the feature.
    pub(crate) always: bool,
}

impl Arguments {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let (mut arguments, mut skip) = (Self::default(), None);
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("blocking") {
                arguments.blocking = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("skip") {
                skip = Some(reason(&meta)?);
            } else if meta.path.is_ident("part") {
                arguments.part = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("always") {
                arguments.always = true;
            } else {
                return Err(meta.error(
                    "expected `blocking = path::To::Type`, `part = \"name\"`, `always` or \
                     `skip = \"reason\"`",
                ));
            }
            Ok(())
        });
        parser.parse2(tokens)?;
        match (&arguments.blocking, skip) {
            (Some(_), Some(skip)) => Err(Error::new(
                skip.span(),
                "`skip` is for a block without a blocking form: leave out `blocking`, or move \
                 `#[blocking(skip = \"reason\")]` to the methods meant",
            )),
            (None, None) => Err(Error::new(
                Span::call_site(),
                "name the blocking type: `#[dual(blocking = crate::blocking::Type)]`",
            )),
            _ => Ok(arguments),
        }
    }

    /// The condition of the blocking block.
    pub(crate) fn when_on(&self) -> Option<TokenStream> {
        (!self.always).then(|| quote!(#[cfg(feature = "blocking")]))
    }

    /// The condition of what is needed only without the blocking block.
    pub(crate) fn when_off(&self) -> Option<TokenStream> {
        (!self.always).then(|| quote!(#[cfg(not(feature = "blocking"))]))
    }
}

/// `#[blocking(..)]` on a method or in `blocking_type!`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) skip: Option<LitStr>,
    pub(crate) wrap: Option<Type>,
    /// The item of a returned stream whose type does not show it.
    pub(crate) iter: Option<Type>,
    /// The value is passed on although its type looks like a stream.
    pub(crate) forward: bool,
    /// An async method that often is ready at once.
    pub(crate) eager: bool,
    /// Says whether an async value already holds sockets of some runtime.
    pub(crate) used: Option<Path>,
    /// Leaves out `with_timeout` and `with_options`.
    pub(crate) no_views: bool,
    /// Where the attribute stands, if there is one.
    pub(crate) span: Option<Span>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Method,
    Type,
}

impl Options {
    /// Takes the `#[blocking(..)]` attributes out of `attributes`.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, place: Place) -> Result<Self> {
        let mut options = Self::default();
        let mut outcome = Ok(());
        attributes.retain(|attribute| {
            if !attribute.path().is_ident("blocking") {
                return true;
            }
            options.span = Some(span_of(attribute));
            let parsed = attribute.parse_nested_meta(|meta| options.option(&meta, place));
            outcome = outcome.clone().and(parsed);
            false
        });
        outcome?;
        let chosen = [
            options.skip.is_some(),
            options.wrap.is_some(),
            options.iter.is_some(),
            options.forward,
        ];
        match options.span {
            Some(span) if chosen.iter().filter(|set| **set).count() > 1 => Err(Error::new(
                span,
                "choose one of `skip`, `wrap`, `iter` and `forward`: a method has one blocking form",
            )),
            _ => Ok(options),
        }
    }

    fn option(&mut self, meta: &ParseNestedMeta<'_>, place: Place) -> Result<()> {
        let method = place == Place::Method;
        if meta.path.is_ident("iter") {
            self.iter = Some(meta.value()?.parse()?);
        } else if method && meta.path.is_ident("skip") {
            self.skip = Some(reason(meta)?);
        } else if method && meta.path.is_ident("wrap") {
            self.wrap = Some(meta.value()?.parse()?);
        } else if method && meta.path.is_ident("forward") {
            self.forward = true;
        } else if method && meta.path.is_ident("eager") {
            self.eager = true;
        } else if !method && meta.path.is_ident("used") {
            self.used = Some(meta.value()?.parse()?);
        } else if !method && meta.path.is_ident("no_views") {
            self.no_views = true;
        } else if method {
            return Err(meta.error(
                "expected `skip = \"reason\"`, `wrap = blocking::Type`, `iter = ItemType`, \
                 `forward` or `eager`",
            ));
        } else {
            return Err(meta
                .error("expected `iter = ItemType`, `used = path::to::predicate` or `no_views`"));
        }
        Ok(())
    }
}

/// A reason that says something.
fn reason(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().trim().is_empty() {
        return Err(Error::new(
            text.span(),
            "say why there is no generated blocking form",
        ));
    }
    Ok(text)
}

fn span_of(attribute: &Attribute) -> Span {
    attribute
        .path()
        .get_ident()
        .map_or_else(Span::call_site, proc_macro2::Ident::span)
}

/// The attributes that carry over to the blocking method. Others are left behind: an instrumented
/// method, for one, would be recorded twice.
pub(crate) fn carried(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes
        .iter()
        .filter(|attribute| carries(&attribute.meta))
        .collect()
}

/// The conditions of compilation alone.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect()
}

fn carries(meta: &Meta) -> bool {
    const KEPT: [&str; 5] = ["cfg", "deprecated", "must_use", "track_caller", "allow"];
    if KEPT.iter().any(|kept| meta.path().is_ident(kept)) {
        return true;
    }
    match meta {
        // `doc(hidden)`, `doc(alias = "..")`, `doc(cfg(..))`; texts are dealt with apart.
        Meta::List(list) if list.path.is_ident("doc") => true,
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            Punctuated::<Meta, Token![,]>::parse_terminated
                .parse2(list.tokens.clone())
                .is_ok_and(|metas| metas.len() > 1 && metas.iter().skip(1).all(carries))
        }
        _ => false,
    }
}

pub(crate) fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
}

/// The first paragraph of the documentation, as the author wrote it.
pub(crate) fn first_paragraph(attributes: &[Attribute]) -> String {
    let mut paragraph = String::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        if !pair.path.is_ident("doc") {
            continue;
        }
        let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &pair.value
        else {
            continue;
        };
        for line in text.value().lines().map(str::trim_end) {
            match (line.trim().is_empty(), paragraph.is_empty()) {
                (true, true) => {}
                (true, false) => return paragraph,
                (false, _) => {
                    paragraph.push_str(line);
                    paragraph.push('\n');
                }
            }
        }
        // `#[doc = ""]`: an empty line between two comment lines.
        if text.value().is_empty() && !paragraph.is_empty() {
            return paragraph;
        }
    }
    paragraph
}

/// A type as it is named in a link: its path without generic arguments.
pub(crate) fn link_path(ty: &Type) -> String {
    let Type::Path(path) = ty else {
        return ty.to_token_stream().to_string().replace(' ', "");
    };
    let names: Vec<_> = path
        .path
        .segments
        .iter()
        .map(|part| part.ident.to_string())
        .collect();
    names.join("::")
}
