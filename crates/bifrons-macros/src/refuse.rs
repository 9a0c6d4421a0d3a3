//! Shapes without a blocking form: found by name, refused at the token, with the remedy.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, FnArg, ImplItemFn, Result, Safety, Signature, Type};

const REMEDY: &str = "add `#[blocking(skip = \"reason\")]` and write the blocking form by hand";

const CALLBACKS: [&str; 3] = ["AsyncFn", "AsyncFnMut", "AsyncFnOnce"];
const BYTES: [&str; 4] = ["AsyncRead", "AsyncWrite", "AsyncBufRead", "AsyncSeek"];
const FUTURES: [&str; 5] = [
    "Future",
    "IntoFuture",
    "TryFuture",
    "BoxFuture",
    "LocalBoxFuture",
];
const STREAMS: [&str; 4] = ["Stream", "TryStream", "BoxStream", "LocalBoxStream"];

/// Refuses what no part of a signature may hold, apart from the value that is returned.
pub(crate) fn signature(method: &ImplItemFn) -> Result<()> {
    let sig = &method.sig;
    if let Safety::Unsafe(token) = &sig.safety {
        return Err(Error::new(
            token.span,
            format!("an unsafe method has no blocking form: {REMEDY}"),
        ));
    }
    if let Some(abi) = &sig.abi {
        let message = format!("a foreign calling convention has no blocking form: {REMEDY}");
        return Err(Error::new(abi.extern_token.span, message));
    }
    let mut places = vec![
        sig.generics.params.to_token_stream(),
        sig.generics.where_clause.to_token_stream(),
    ];
    places.extend(sig.inputs.iter().map(|input| match input {
        FnArg::Typed(argument) => argument.ty.to_token_stream(),
        FnArg::Receiver(_) => TokenStream::new(),
    }));
    for place in places {
        if let Some(name) = find(&place, &CALLBACKS) {
            return Err(refusal(&name, "takes an async callback"));
        }
        bytes(&place)?;
        if let Some(name) = find(&place, &FUTURES) {
            return Err(refusal(
                &name,
                "takes a future, or a callback that returns one,",
            ));
        }
        if let Some(name) = find(&place, &STREAMS) {
            return Err(refusal(&name, "takes a stream (by hand: an iterator)"));
        }
    }
    Ok(())
}

/// Refuses a return type that is passed on as it is, or the type inside Result, Option and Vec.
pub(crate) fn returned(tokens: &TokenStream) -> Result<()> {
    bytes(tokens)?;
    if let Some(name) = find(tokens, &FUTURES) {
        return Err(Error::new(
            name.span(),
            format!("`{name}` is returned: make it an `async fn`, or {REMEDY}"),
        ));
    }
    if let Some(name) = find(tokens, &["Self"]) {
        return Err(Error::new(
            name.span(),
            format!("`Self` is returned deeper than in Result, Option or Vec: {REMEDY}"),
        ));
    }
    if let Some(name) = find(tokens, &STREAMS) {
        return Err(Error::new(
            name.span(),
            format!(
                "`{name}` is returned in a shape that is not understood: use `impl Stream<Item = T>`, a boxed \
                 stream, or a Result of one, or {REMEDY}"
            ),
        ));
    }
    Ok(())
}

/// Refuses a type that is named like a stream, because passing it on would hand blocking code
/// something it cannot use.
pub(crate) fn named_like_a_stream(name: &Ident) -> Error {
    Error::new(
        name.span(),
        format!(
            "`{name}` looks like a stream: add `#[blocking(iter = ItemType)]` to make it an \
             iterator, `#[blocking(wrap = ..)]`, `#[blocking(forward)]` if it is none, or `skip`"
        ),
    )
}

pub(crate) fn deep_argument(name: &Ident) -> Error {
    Error::new(
        name.span(),
        format!(
            "`{name}` inside an argument has no blocking form, only `Self` by value or reference has: {REMEDY}"
        ),
    )
}

pub(crate) fn receiver(sig: &Signature, token: proc_macro2::Span) -> Error {
    Error::new(
        token,
        format!(
            "`{}` takes `self` in a way that has no blocking form (known: `self`, `&self`, \
             `&mut self`, `Arc<Self>`, `Box<Self>`): {REMEDY}",
            sig.ident
        ),
    )
}

pub(crate) fn nothing_to_wrap(sig: &Signature) -> Error {
    Error::new(
        sig.ident.span(),
        "`wrap` and `iter` need a returned value to convert",
    )
}

pub(crate) fn self_reference(ty: &Type) -> Error {
    let message = format!(
        "a reference to `Self` is returned by something else than a plain `&mut self -> &mut Self` step: {REMEDY}"
    );
    Error::new_spanned(ty, message)
}

fn bytes(tokens: &TokenStream) -> Result<()> {
    match find(tokens, &BYTES) {
        Some(name) => Err(Error::new(
            name.span(),
            format!(
                "`{name}` in a signature has no blocking form (std's `Read` and `Write` are \
                 written by hand): {REMEDY}"
            ),
        )),
        None => Ok(()),
    }
}

fn refusal(name: &Ident, what: &str) -> Error {
    Error::new(
        name.span(),
        format!("`{name}`: a method that {what} has no blocking form: {REMEDY}"),
    )
}

/// The first identifier of `names` anywhere in the tokens.
pub(crate) fn find(tokens: &TokenStream, names: &[&str]) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if names.iter().any(|name| ident == name) => Some(ident),
        TokenTree::Group(group) => find(&group.stream(), names),
        _ => None,
    })
}
