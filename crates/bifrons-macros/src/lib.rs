//! The macros of [bifrons](https://docs.rs/bifrons): [`dual`](macro@dual) and [`blocking_type!`].
//!
//! They are documented, with tested examples, where they are re-exported: `bifrons::dual` and
//! `bifrons::blocking_type`. The code they emit names its parts by `::bifrons::` paths, so a crate
//! that uses them depends on `bifrons`, under that name, and not on this crate.

mod attributes;
mod dual;
mod method;
mod refuse;
mod shape;
mod twin;

use proc_macro::TokenStream;

/// Gives every public method of an inherent impl block its blocking form.
///
/// The async block is kept as it is. A second block, for the type named by `blocking = ..`, is
/// emitted beside it.
#[proc_macro_attribute]
pub fn dual(arguments: TokenStream, item: TokenStream) -> TokenStream {
    dual::expand(arguments.into(), item.into()).into()
}

/// Declares blocking types: each holds an async value and the runtime that drives it.
#[proc_macro]
pub fn blocking_type(input: TokenStream) -> TokenStream {
    twin::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

#[cfg(test)]
mod tests;
