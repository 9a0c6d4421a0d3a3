//! Shapes without a blocking form: found by name, refused at the token, with the remedy.

use std::fmt;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, FnArg, Result, Safety, Signature};

const REMEDY: &str = "add `#[blocking(skip = \"reason\")]` and write the blocking form by hand";

/// Names, and what is wrong with them.
type Names = (&'static [&'static str], &'static str);

const BYTES: Names = (
    &["AsyncRead", "AsyncWrite", "AsyncBufRead", "AsyncSeek"],
    "std's `Read` and `Write` stand in its place, and have no generated form",
);

const IN_ARGUMENTS: [Names; 4] = [
    (
        &["AsyncFn", "AsyncFnMut", "AsyncFnOnce"],
        "a method that takes an async callback has no blocking form",
    ),
    BYTES,
    (
        &[
            "Future",
            "IntoFuture",
            "TryFuture",
            "BoxFuture",
            "LocalBoxFuture",
        ],
        "a method that takes a future, or a callback that returns one, has no blocking form",
    ),
    (
        &["Stream", "TryStream", "BoxStream", "LocalBoxStream"],
        "a method that takes a stream has no blocking form (by hand it takes an iterator)",
    ),
];

const IN_RETURN: [Names; 4] = [
    BYTES,
    (
        &[
            "Future",
            "IntoFuture",
            "TryFuture",
            "BoxFuture",
            "LocalBoxFuture",
        ],
        "a returned future has no blocking form unless the method is an `async fn`",
    ),
    (
        &["Self"],
        "returned deeper than in Result, Option or Vec it has no blocking form",
    ),
    (
        &["Stream", "TryStream", "BoxStream", "LocalBoxStream"],
        "of streams, `impl Stream<Item = T>`, boxed ones and a Result of one are understood",
    ),
];

/// The error that says what is wrong and what to do.
pub(crate) fn at(span: Span, what: impl fmt::Display) -> Error {
    Error::new(span, format!("{what}: {REMEDY}"))
}

/// Refuses what no part of a signature may hold, apart from the value that is returned.
pub(crate) fn signature(sig: &Signature) -> Result<()> {
    if let Safety::Unsafe(token) = &sig.safety {
        return Err(at(token.span, "an unsafe method has no blocking form"));
    }
    if let Some(abi) = &sig.abi {
        return Err(at(
            abi.extern_token.span,
            "a foreign calling convention has no blocking form",
        ));
    }
    search(&sig.generics.params.to_token_stream(), &IN_ARGUMENTS)?;
    search(&sig.generics.where_clause.to_token_stream(), &IN_ARGUMENTS)?;
    sig.inputs.iter().try_for_each(|input| match input {
        FnArg::Typed(argument) => search(&argument.ty.to_token_stream(), &IN_ARGUMENTS),
        FnArg::Receiver(_) => Ok(()),
    })
}

/// Refuses a type that would be returned as it is, perhaps inside Result, Option or Vec.
pub(crate) fn returned(tokens: &TokenStream) -> Result<()> {
    search(tokens, &IN_RETURN)
}

fn search(tokens: &TokenStream, table: &[Names]) -> Result<()> {
    table
        .iter()
        .try_for_each(|(names, what)| match find(tokens, names) {
            Some(name) => Err(at(name.span(), format!("`{name}`: {what}"))),
            None => Ok(()),
        })
}

/// The first identifier of `names` anywhere in the tokens.
pub(crate) fn find(tokens: &TokenStream, names: &[&str]) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if names.iter().any(|name| ident == name) => Some(ident),
        TokenTree::Group(group) => find(&group.stream(), names),
        _ => None,
    })
}
