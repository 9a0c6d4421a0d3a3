//! The shape of what a method returns, and how its value becomes the blocking one.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Error, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Type, TypeParamBound,
    parse_quote,
};

use crate::attributes::Options;
use crate::refuse;

/// What becomes of the value inside the Results, Options and Vecs of a return type.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Leaf {
    /// Passed on as it is.
    Plain,
    /// `Self`, or the async type by its name: becomes the blocking `Self`.
    Own,
    /// Another async type: becomes the blocking type named by `wrap`.
    Wrapped,
    /// Becomes a `BlockingIter`.
    Stream,
}

/// A return type and its blocking form.
pub(crate) struct Shape {
    pub(crate) leaf: Leaf,
    /// No layer around the leaf.
    bare: bool,
    /// The outermost layer is a Result, which can carry a `BlockingError`.
    pub(crate) fallible: bool,
    pub(crate) output: ReturnType,
    /// From `__value` to the blocking value; empty when it is passed on.
    convert: Option<TokenStream>,
}

impl Shape {
    pub(crate) fn of(output: &ReturnType, own: &Type, options: &Options, at: Span) -> Result<Self> {
        let ReturnType::Type(arrow, ty) = output else {
            return Ok(Self::plain(output.clone(), false));
        };
        let fallible = is_result(ty);
        let found = convert(ty, own, options, at)?;
        Ok(match found {
            None => Self::plain(output.clone(), fallible),
            Some(found) => Self {
                leaf: found.leaf,
                bare: found.depth == 0,
                fallible,
                output: ReturnType::Type(*arrow, Box::new(found.ty)),
                convert: Some(found.convert),
            },
        })
    }

    fn plain(output: ReturnType, fallible: bool) -> Self {
        Self {
            leaf: Leaf::Plain,
            bare: true,
            fallible,
            output,
            convert: None,
        }
    }

    /// `Self` by value, in nothing.
    pub(crate) fn is_own(&self) -> bool {
        self.leaf == Leaf::Own && self.bare
    }

    /// The expression that turns `value` into the blocking value; it uses `__bridge`.
    pub(crate) fn apply(&self, value: &TokenStream, at: Span) -> TokenStream {
        match &self.convert {
            None => value.clone(),
            Some(convert) => quote_spanned!(at=> { let __value = #value; #convert }),
        }
    }
}

struct Found {
    leaf: Leaf,
    depth: usize,
    ty: Type,
    convert: TokenStream,
}

fn convert(ty: &Type, own: &Type, options: &Options, at: Span) -> Result<Option<Found>> {
    if let Type::Paren(inner) = ty {
        return convert(&inner.elem, own, options, at);
    }
    if let Type::Group(inner) = ty {
        return convert(&inner.elem, own, options, at);
    }
    if let Some((segment, inner)) = layer(ty) {
        let Some(found) = convert(inner, own, options, at)? else {
            return Ok(None);
        };
        let mapped = &found.convert;
        let convert = if segment.ident == "Vec" {
            quote_spanned!(at=> ::core::iter::Iterator::collect::<::std::vec::Vec<_>>(
                ::core::iter::Iterator::map(::core::iter::IntoIterator::into_iter(__value), |__value| #mapped)
            ))
        } else {
            quote_spanned!(at=> __value.map(|__value| #mapped))
        };
        let ty = with_first_argument(ty.clone(), found.ty);
        return Ok(Some(Found {
            depth: found.depth + 1,
            ty,
            convert,
            ..found
        }));
    }
    let found = |leaf, ty, convert| {
        Ok(Some(Found {
            leaf,
            depth: 0,
            ty,
            convert,
        }))
    };
    if let Some(wrap) = &options.wrap {
        let convert = quote_spanned!(at=>
            <#wrap as ::bifrons::Twin>::from_parts(__value, __bridge.share())
        );
        return found(Leaf::Wrapped, wrap.clone(), convert);
    }
    if is_own(ty, own) {
        let convert =
            quote_spanned!(at=> <Self as ::bifrons::Twin>::from_parts(__value, __bridge.share()));
        return found(Leaf::Own, parse_quote!(Self), convert);
    }
    let item = options.iter.clone().or_else(|| stream_item(ty));
    if let Some(item) = item {
        let make = if is_result(&item) {
            quote!(try_iter)
        } else {
            quote!(iter)
        };
        let convert = quote_spanned!(at=> __bridge.#make(__value));
        return found(
            Leaf::Stream,
            parse_quote!(::bifrons::BlockingIter<#ty>),
            convert,
        );
    }
    let tokens = ty.to_token_stream();
    refuse::returned(&tokens)?;
    if let (Type::Path(path), false) = (ty, options.forward)
        && let Some(last) = path.path.segments.last()
        && last.ident.to_string().ends_with("Stream")
    {
        return Err(Error::new(
            last.ident.span(),
            format!(
                "`{}` looks like a stream: add `#[blocking(iter = ItemType)]` to make it an \
                 iterator, `#[blocking(wrap = ..)]`, `#[blocking(forward)]` if it is none, or \
                 `skip`",
                last.ident
            ),
        ));
    }
    Ok(None)
}

/// `Result<T, ..>`, `Option<T>` or `Vec<T>`, by whatever path and alias of that name.
fn layer(ty: &Type) -> Option<(&PathSegment, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if !["Result", "Option", "Vec"]
        .iter()
        .any(|name| last.ident == name)
    {
        return None;
    }
    first_argument(last).map(|inner| (last, inner))
}

fn first_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn with_first_argument(mut ty: Type, new: Type) -> Type {
    if let Type::Path(path) = &mut ty
        && let Some(last) = path.path.segments.last_mut()
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
        && let Some(old) = arguments
            .args
            .iter_mut()
            .find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
    {
        *old = new;
    }
    ty
}

/// A Result by its name: the only place a `BlockingError` can go.
pub(crate) fn is_result(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Result"))
}

/// `Self`, or the type of the impl block written out.
pub(crate) fn is_own(ty: &Type, own: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("Self"))
        || ty.to_token_stream().to_string() == own.to_token_stream().to_string()
}

/// The item of `impl Stream<Item = T>`, `Pin<Box<dyn Stream<Item = T>>>` or `BoxStream<'_, T>`.
fn stream_item(ty: &Type) -> Option<Type> {
    match ty {
        Type::ImplTrait(opaque) => item_of_bounds(opaque.bounds.iter()),
        Type::TraitObject(object) => item_of_bounds(object.bounds.iter()),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident == "BoxStream" {
                first_argument(last).cloned()
            } else if last.ident == "Pin" || last.ident == "Box" {
                stream_item(first_argument(last)?)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn item_of_bounds<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Type> {
    bounds.find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound
            .path
            .segments
            .last()
            .filter(|last| last.ident == "Stream")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(item) if item.ident == "Item" => Some(item.ty.clone()),
            _ => None,
        })
    })
}

/// Whether the value converts to an iterator, for the parity manifest.
pub(crate) fn kind(is_async: bool, leaf: Leaf) -> TokenStream {
    match (leaf, is_async) {
        (Leaf::Stream, _) => quote!(Stream),
        (_, true) => quote!(Async),
        (_, false) => quote!(Sync),
    }
}
