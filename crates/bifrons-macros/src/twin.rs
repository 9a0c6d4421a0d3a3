//! `blocking_type!`: the struct, and what every blocking type can do.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Generics, Result, Token, Type, Visibility, WhereClause,
    parse::{Parse, ParseStream},
};

use crate::attributes::{self, Options, Place};
use crate::shape;

mod keyword {
    syn::custom_keyword!(wraps);
}

struct Declaration {
    attributes: Vec<Attribute>,
    options: Options,
    visibility: Visibility,
    name: Ident,
    generics: Generics,
    wrapped: Type,
}

struct Declarations(Vec<Declaration>);

impl Parse for Declarations {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut declarations = Vec::new();
        loop {
            declarations.push(input.parse()?);
            if !input.is_empty() {
                input.parse::<Token![;]>()?;
            }
            if input.is_empty() {
                return Ok(Self(declarations));
            }
        }
    }
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let options = Options::take(&mut attributes, Place::Type)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let name = input.parse()?;
        let mut generics: Generics = input.parse()?;
        input.parse::<keyword::wraps>()?;
        let wrapped = input.parse()?;
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        Ok(Self {
            attributes,
            options,
            visibility,
            name,
            generics,
            wrapped,
        })
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let declarations: Declarations = syn::parse2(input)?;
    Ok(declarations.0.iter().map(Declaration::expand).collect())
}

impl Declaration {
    fn expand(&self) -> TokenStream {
        let Self {
            attributes,
            visibility,
            name,
            generics,
            wrapped,
            ..
        } = self;
        let (impls, arguments, bounds) = generics.split_for_impl();
        let path = attributes::link_path(wrapped);
        let default_doc = (!attributes::has(attributes, "doc")).then(|| {
            let text = format!("Blocking form of [`{path}`].");
            quote!(#[doc = #text])
        });
        let conversion = self.conversion();
        let views = self.views();
        let iterator = self.iterator();
        quote! {
            #default_doc
            #(#attributes)*
            #visibility struct #name #generics #bounds {
                inner: ::bifrons::Held<#wrapped>,
            }

            impl #impls ::bifrons::Twin for #name #arguments #bounds {
                type Async = #wrapped;

                fn from_held(held: ::bifrons::Held<#wrapped>) -> Self {
                    Self { inner: held }
                }

                fn held(&self) -> &::bifrons::Held<#wrapped> {
                    &self.inner
                }

                fn held_mut(&mut self) -> &mut ::bifrons::Held<#wrapped> {
                    &mut self.inner
                }

                fn into_held(self) -> ::bifrons::Held<#wrapped> {
                    self.inner
                }
            }

            impl #impls #name #arguments #bounds {
                #conversion

                /// Returns the async value inside.
                pub fn as_async(&self) -> &#wrapped {
                    self.inner.parts().0
                }

                /// Gives up the runtime and returns the async value.
                #[must_use]
                pub fn into_async(self) -> #wrapped {
                    self.inner.into_parts().0
                }

                /// Returns the runtime that drives the calls of this value.
                pub fn runtime(&self) -> &::bifrons::BlockingRuntime {
                    self.inner.parts().1.runtime()
                }

                #views
            }

            #iterator
        }
    }

    fn conversion(&self) -> TokenStream {
        let wrapped = &self.wrapped;
        match &self.options.used {
            None => quote! {
                /// Drives an async value on `runtime`.
                pub fn from_async(inner: #wrapped, runtime: ::bifrons::BlockingRuntime) -> Self {
                    <Self as ::bifrons::Twin>::from_parts(inner, ::bifrons::Bridge::new(runtime))
                }
            },
            Some(used) => quote! {
                /// Drives an async value on `runtime`.
                ///
                /// # Errors
                ///
                /// Refuses a value that was used before: its sockets belong to the runtime they
                /// were made on.
                pub fn from_async(
                    inner: #wrapped,
                    runtime: ::bifrons::BlockingRuntime,
                ) -> ::core::result::Result<Self, ::bifrons::AlreadyUsed> {
                    if #used(&inner) {
                        return ::core::result::Result::Err(::bifrons::AlreadyUsed::new());
                    }
                    ::core::result::Result::Ok(
                        <Self as ::bifrons::Twin>::from_parts(inner, ::bifrons::Bridge::new(runtime))
                    )
                }
            },
        }
    }

    /// By reference for a type that derives `Clone`, by value for others.
    fn views(&self) -> TokenStream {
        if self.options.no_views {
            return TokenStream::new();
        }
        let by_reference = self.attributes.iter().any(|attribute| {
            attribute.path().is_ident("derive")
                && crate::refuse::find(&attribute.meta.to_token_stream(), &["Clone"]).is_some()
        });
        let (receiver, held) = if by_reference {
            (quote!(&self), quote!(self.inner.clone()))
        } else {
            (quote!(self), quote!(self.inner))
        };
        quote! {
            /// Returns a view whose calls each end after `limit`: the whole call, with its
            /// retries, waits and pages. There is no such limit by default.
            #[must_use]
            pub fn with_timeout(#receiver, limit: ::core::time::Duration) -> Self {
                Self { inner: #held.with_timeout(limit) }
            }

            /// Returns a view whose calls run under `options`, which replace the present ones.
            #[must_use]
            pub fn with_options(#receiver, options: ::bifrons::CallOptions) -> Self {
                Self { inner: #held.with_options(options) }
            }
        }
    }

    fn iterator(&self) -> TokenStream {
        let Some(item) = &self.options.iter else {
            return TokenStream::new();
        };
        let Self { name, generics, .. } = self;
        let (impls, arguments, bounds) = generics.split_for_impl();
        let finish = if shape::is_result(item) {
            quote!(::bifrons::__private::fold_item)
        } else {
            quote!(::bifrons::__private::or_panic)
        };
        let at = name.span();
        let track = (!shape::is_result(item)).then(|| quote!(#[track_caller]));
        quote_spanned! {at=>
            impl #impls #name #arguments #bounds {
                /// Returns the next item, within `limit`, which takes the place of the timeout of
                /// the options.
                ///
                /// # Errors
                ///
                /// When the limit is reached or the call could not be made. No item is lost: the
                /// next call goes on where this one stopped.
                pub fn next_timeout(
                    &mut self,
                    limit: ::core::time::Duration,
                ) -> ::core::result::Result<::core::option::Option<#item>, ::bifrons::BlockingError>
                {
                    self.inner.try_next(::core::option::Option::Some(limit))
                }
            }

            impl #impls ::core::iter::Iterator for #name #arguments #bounds {
                type Item = #item;

                #track
                fn next(&mut self) -> ::core::option::Option<#item> {
                    #finish(self.inner.next_item())
                }

                fn size_hint(&self) -> (usize, ::core::option::Option<usize>) {
                    self.inner.size_hint()
                }
            }

            impl #impls ::core::iter::FusedIterator for #name #arguments #bounds {}
        }
    }
}
