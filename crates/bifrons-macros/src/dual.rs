//! `#[dual]`: the block as written, the blocking block, the manifest, the Send assertions.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Error, ImplItem, Item, ItemImpl, Result, Visibility};

use crate::attributes::{self, Arguments, Options, Place};
use crate::method::{self, Twin};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = Arguments::parse(arguments)
        .and_then(|arguments| Ok((arguments, parse_block(item.clone())?)));
    match parsed {
        Ok((arguments, block)) => expand_block(&arguments, block),
        // The block stays, so that the one message is not buried under what misses it.
        Err(error) => {
            let error = error.into_compile_error();
            match syn::parse2::<ItemImpl>(item.clone()) {
                Ok(mut block) => {
                    let _taken = take_options(&mut block);
                    quote!(#block #error)
                }
                Err(_) => quote!(#item #error),
            }
        }
    }
}

fn parse_block(item: TokenStream) -> Result<ItemImpl> {
    match syn::parse2::<Item>(item)? {
        Item::Impl(block) => Ok(block),
        other => Err(Error::new_spanned(
            other,
            "`#[dual]` goes on an inherent impl block; declare the blocking type with \
             `bifrons::blocking_type!`",
        )),
    }
}

/// The options of each item, taken out of the block.
fn take_options(block: &mut ItemImpl) -> Vec<Result<Options>> {
    block
        .items
        .iter_mut()
        .map(|item| match item {
            ImplItem::Fn(method) => Options::take(&mut method.attrs, Place::Method),
            _ => Ok(Options::default()),
        })
        .collect()
}

fn expand_block(arguments: &Arguments, mut block: ItemImpl) -> TokenStream {
    let options = take_options(&mut block);
    if let Some((path, _)) = &block.trait_ {
        let message = "a trait impl has no generated blocking form: put `#[dual]` on inherent impl \
                       blocks and write the trait impl of the blocking type by hand";
        let error = Error::new_spanned(path, message).into_compile_error();
        return quote!(#block #error);
    }
    let Some(target) = &arguments.blocking else {
        return block.into_token_stream();
    };

    let (twins, errors) = twins(&block, options);
    let blocking = blocking_block(arguments, &block, target, &twins);
    let assertions = assertions(arguments, &block, &twins);
    let errors = errors.map(Error::into_compile_error);
    quote!(#block #blocking #assertions #errors)
}

fn twins(block: &ItemImpl, options: Vec<Result<Options>>) -> (Vec<Twin>, Option<Error>) {
    let (mut twins, mut errors) = (Vec::new(), None::<Error>);
    for (item, options) in block.items.iter().zip(options) {
        let ImplItem::Fn(source) = item else { continue };
        let public = matches!(source.vis, Visibility::Public(_));
        let twin = options.and_then(|options| match (public, options.span) {
            (true, _) => method::expand(source, &block.self_ty, &options).map(Some),
            (false, None) => Ok(None),
            (false, Some(span)) => Err(Error::new(
                span,
                "only `pub` methods have a blocking form: remove this attribute",
            )),
        });
        match twin {
            Ok(twin) => twins.extend(twin),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    (twins, errors)
}

fn blocking_block(
    arguments: &Arguments,
    block: &ItemImpl,
    target: &syn::Type,
    twins: &[Twin],
) -> TokenStream {
    let gate = arguments.when_on();
    let carried = block_attributes(&block.attrs);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let source = attributes::link_path(&block.self_ty);
    let part = &arguments.part;
    let manifest = match part.replace(|c: char| !c.is_ascii_alphanumeric(), "_") {
        part if part.is_empty() => format_ident!("__DUAL"),
        part => format_ident!("__DUAL_{}", part.to_ascii_uppercase()),
    };
    let entries = twins.iter().map(|twin| &twin.entry);
    let methods = twins.iter().map(|twin| &twin.blocking);
    quote! {
        #gate
        #(#carried)*
        #[allow(
            deprecated,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::nursery,
            reason = "the async form answers for style"
        )]
        impl #generics #target #bounds {
            #[doc(hidden)]
            pub const #manifest: ::bifrons::__private::Manifest =
                ::bifrons::__private::Manifest::new(
                    #source, #part, ::core::file!(), &[#(#entries),*]
                );
            #(#methods)*
        }
    }
}

/// With the blocking block in place, its calls require `Send` themselves.
fn assertions(arguments: &Arguments, block: &ItemImpl, twins: &[Twin]) -> Option<TokenStream> {
    let gate = arguments.when_off()?;
    let carried = block_attributes(&block.attrs);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let own = &block.self_ty;
    let assertions = twins.iter().map(|twin| &twin.assertion);
    Some(quote! {
        #gate
        #(#carried)*
        #[allow(
            dead_code,
            deprecated,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::nursery,
            reason = "never called: compiling is the check"
        )]
        impl #generics #own #bounds {
            #(#assertions)*
        }
    })
}

fn block_attributes(attributes: &[Attribute]) -> Vec<&Attribute> {
    let kept = ["cfg", "allow"];
    attributes
        .iter()
        .filter(|a| kept.iter().any(|kept| a.path().is_ident(kept)))
        .collect()
}
