//! What the attribute emits and what it refuses, on tokens. That the emitted code compiles and
//! works is tested in `bifrons`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{dual, twin};

fn flat(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect::<String>()
}

fn expand(arguments: TokenStream, item: TokenStream) -> String {
    flat(&dual::expand(arguments, item))
}

fn blocking(method: TokenStream) -> String {
    expand(
        quote!(blocking = blocking::Client),
        quote!(impl Client { #method }),
    )
}

/// The one message of a refused method.
fn refusal(method: TokenStream) -> String {
    let tokens = dual::expand(
        quote!(blocking = blocking::Client),
        quote!(impl Client { #method }),
    );
    messages(tokens)
        .pop()
        .unwrap_or_else(|| panic!("not refused"))
}

fn messages(tokens: TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(tokens).unwrap();
    let found = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => item
            .mac
            .parse_body::<syn::LitStr>()
            .ok()
            .map(|text| text.value()),
        _ => None,
    });
    found.collect()
}

#[test]
fn the_async_block_is_emitted_as_written() {
    let block = quote!(
        impl<T: Send> Client<T>
        where
            T: Copy,
        {
            /// Docs.
            #[instrument(skip(self))]
            pub async fn get(&self, mut id: u8) -> Result<T, Error> {
                id += 1;
                self.fetch(id).await
            }
            fn fetch(&self) {}
            pub const LIMIT: u8 = 3;
        }
    );
    let emitted = expand(quote!(blocking = blocking::Client<T>), block.clone());
    assert!(emitted.starts_with(&flat(&block)), "{emitted}");
}

#[test]
fn the_blocking_block_stands_behind_the_feature() {
    let item = quote!(impl Client { pub async fn ping(&self) {} });
    let by_default = expand(quote!(blocking = blocking::Client), item.clone());
    assert!(
        by_default.contains("#[cfg(feature=\"blocking\")]#[allow"),
        "{by_default}"
    );
    assert!(
        by_default.contains("#[cfg(not(feature=\"blocking\"))]"),
        "{by_default}"
    );
    let always = expand(quote!(blocking = blocking::Client, always), item);
    assert!(!always.contains("cfg"), "{always}");
}

#[test]
fn every_async_method_and_stream_is_asserted_send() {
    let emitted = blocking(quote! {
        pub async fn get(&self, (a, b): (u8, u8)) -> Result<u8, Error> {}
        pub fn list(&self) -> impl Stream<Item = u8> + Send {}
        pub fn name(&self) -> &str {}
    });
    assert!(emitted.contains("fn__get_is_send(&self,arg1:(u8,u8)){::bifrons::__private::send::future(<Client>::get(self,arg1));}"), "{emitted}");
    assert!(
        emitted.contains(
            "fn__list_is_send(&self){::bifrons::__private::send::value(<Client>::list(self));}"
        ),
        "{emitted}"
    );
    assert!(!emitted.contains("__name_is_send"), "{emitted}");
}

#[test]
fn attributes_are_kept_or_left_behind_by_name() {
    let emitted = blocking(quote! {
        #[cfg(feature = "x")]
        #[deprecated]
        #[must_use]
        #[track_caller]
        #[allow(unused)]
        #[doc(alias = "other")]
        #[cfg_attr(docsrs, doc(cfg(feature = "x")))]
        #[cfg_attr(feature = "trace", tracing::instrument)]
        #[tracing::instrument(skip_all)]
        #[inline]
        pub async fn ping(&self) {}
    });
    let (_, generated) = emitted
        .split_once("impl blocking::Client".replace(' ', "").as_str())
        .unwrap();
    let (generated, _) = generated.split_once("#[cfg(not(").unwrap();
    for kept in [
        "#[cfg(feature=\"x\")]",
        "#[deprecated]",
        "#[must_use]",
        "#[track_caller]",
        "#[allow(unused)]",
        "#[doc(alias=\"other\")]",
        "#[cfg_attr(docsrs,doc(cfg(feature=\"x\")))]",
    ] {
        assert!(generated.contains(kept), "{kept} is missing: {generated}");
    }
    for left in ["instrument", "inline"] {
        assert!(!generated.contains(left), "{left} is there: {generated}");
    }
    assert_eq!(
        generated.matches("#[track_caller]").count(),
        1,
        "{generated}"
    );
    assert!(
        generated.contains("&[#[cfg(feature=\"x\")]::bifrons::__private::Entry"),
        "{generated}"
    );
}

#[test]
fn the_first_paragraph_of_the_docs_is_copied_and_linked() {
    let tokens = dual::expand(
        quote!(blocking = blocking::Client),
        quote!(impl super::Client<T> {
            /// Returns a thing
            /// of two lines.
            ///
            /// ```
            /// client.get().await;
            /// ```
            pub async fn get(&self) -> Result<T, Error> {}
        }),
    );
    let text = tokens.to_string();
    let (_, generated) = text.split_once("blocking :: Client").unwrap();
    assert!(
        generated.contains("Returns a thing\\n of two lines."),
        "{generated}"
    );
    assert!(
        generated.contains("[`super::Client::get()`]"),
        "{generated}"
    );
    assert!(generated.contains("# Errors"), "{generated}");
    assert!(!generated.contains("await;"), "{generated}");
}

#[test]
fn panics_are_documented_and_point_at_the_caller() {
    let emitted = blocking(quote!(
        pub async fn count(&self) -> usize {}
    ));
    assert!(
        emitted.contains("#Panics") && emitted.contains("#[track_caller]"),
        "{emitted}"
    );
    let emitted = blocking(quote!(
        pub async fn count(&self) -> Result<usize> {}
    ));
    assert!(
        !emitted.contains("#Panics") && !emitted.contains("#[track_caller]"),
        "{emitted}"
    );
}

#[test]
fn private_methods_and_whole_blocks_can_be_left_out() {
    let emitted = blocking(quote! {
        async fn private(&self) {}
        pub(crate) async fn inside(&self) {}
    });
    assert!(!emitted.contains("Entry"), "{emitted}");
    let block = quote!(impl Client { pub async fn ping(&self) {} });
    assert_eq!(
        expand(quote!(skip = "async only"), block.clone()),
        flat(&block)
    );
}

#[test]
fn each_refusal_names_the_offending_token_and_the_remedy() {
    let remedy = "add `#[blocking(skip = \"reason\")]` and write the blocking form by hand";
    let cases: &[(TokenStream, &str)] = &[
        (
            quote!(
                pub async fn f<F: AsyncFn(u8)>(&self, f: F) {}
            ),
            "`AsyncFn`: a method that takes an async callback",
        ),
        (
            quote!(
                pub async fn f(&self, f: impl AsyncFnMut()) {}
            ),
            "`AsyncFnMut`: a method that takes an async callback",
        ),
        (
            quote!(
                pub async fn f<F, U>(&self, f: F)
                where
                    F: Fn() -> U,
                    U: Future,
                {
                }
            ),
            "`Future`: a method that takes a future",
        ),
        (
            quote!(
                pub async fn f(&self, f: BoxFuture<'static, ()>) {}
            ),
            "`BoxFuture`: a method that takes a future",
        ),
        (
            quote!(
                pub async fn f(&self, s: impl Stream<Item = u8>) {}
            ),
            "`Stream`: a method that takes a stream",
        ),
        (
            quote!(
                pub async fn f(&self, r: impl AsyncRead + Unpin) {}
            ),
            "`AsyncRead`: std's",
        ),
        (
            quote!(
                pub fn f(&self) -> impl AsyncWrite {}
            ),
            "`AsyncWrite`: std's",
        ),
        (
            quote!(
                pub fn f(&self) -> impl Future<Output = u8> {}
            ),
            "`Future`: a returned future",
        ),
        (
            quote!(
                pub fn f(&self) -> Pin<Box<dyn Future<Output = u8>>> {}
            ),
            "`Future`: a returned future",
        ),
        (
            quote!(
                pub async fn f(&self) -> Result<(Self, u8), E> {}
            ),
            "`Self`: returned deeper",
        ),
        (
            quote!(
                pub async fn f(&self) -> HashMap<u8, Self> {}
            ),
            "`Self`: returned deeper",
        ),
        (
            quote!(
                pub async fn f(&self, all: &[Self]) {}
            ),
            "`Self`: inside an argument",
        ),
        (
            quote!(
                pub fn f(&self) -> &Self {}
            ),
            "of references to `Self`",
        ),
        (
            quote!(
                pub async fn f(&mut self) -> &mut Self {}
            ),
            "of references to `Self`",
        ),
        (
            quote!(
                pub async fn f(self: Rc<Self>) {}
            ),
            "of receivers, `self`",
        ),
        (
            quote!(
                pub async fn f(self: Pin<&mut Self>) {}
            ),
            "of receivers, `self`",
        ),
        (
            quote!(
                pub async unsafe fn f(&self) {}
            ),
            "an unsafe method",
        ),
        (
            quote!(
                pub extern "C" fn f(&self) {}
            ),
            "a foreign calling convention",
        ),
        (
            quote!(
                pub fn f(&self) -> impl TryStream<Ok = u8> {}
            ),
            "`TryStream`: of streams",
        ),
        (
            quote!(
                pub fn f(&self) -> LocalBoxStream<'_, u8> {}
            ),
            "`LocalBoxStream`: of streams",
        ),
    ];
    for (method, expected) in cases {
        let message = refusal(method.clone());
        assert!(message.contains(expected), "{method}: {message}");
        assert!(message.ends_with(remedy), "{method}: {message}");
    }
}

#[test]
fn a_type_named_like_a_stream_needs_a_decision() {
    let message = refusal(quote!(
        pub fn events(&self) -> Result<EventStream, Error> {}
    ));
    assert!(
        message.starts_with("`EventStream` looks like a stream: add `#[blocking(iter"),
        "{message}"
    );
    let emitted = blocking(quote!(
        #[blocking(forward)]
        pub fn events(&self) -> EventStream {}
    ));
    assert!(!emitted.contains("compile_error"), "{emitted}");
    let emitted = blocking(quote!(
        #[blocking(iter = u8)]
        pub fn events(&self) -> EventStream {}
    ));
    assert!(
        emitted.contains("->::bifrons::BlockingIter<EventStream>"),
        "{emitted}"
    );
}

#[test]
fn options_that_contradict_or_say_nothing_are_refused() {
    let cases = [
        (
            quote!(
                #[blocking(skip = " ")]
                pub async fn f(&self) {}
            ),
            "say why",
        ),
        (
            quote!(
                #[blocking(skip = "x", wrap = B)]
                pub async fn f(&self) -> A {}
            ),
            "choose one",
        ),
        (
            quote!(
                #[blocking(skip = "x")]
                async fn f(&self) {}
            ),
            "only `pub` methods",
        ),
        (
            quote!(
                #[blocking(wrap = B)]
                pub async fn f(&self) {}
            ),
            "need a returned value",
        ),
        (
            quote!(
                #[blocking(wrapped = B)]
                pub async fn f(&self) -> A {}
            ),
            "expected `skip",
        ),
    ];
    for (method, expected) in cases {
        let message = refusal(method.clone());
        assert!(message.contains(expected), "{method}: {message}");
    }
    for (arguments, expected) in [
        (quote!(), "name the blocking type"),
        (
            quote!(blocking = B, skip = "x"),
            "`skip` is for a block without",
        ),
        (quote!(skip = ""), "say why"),
        (quote!(sync = B), "expected `blocking"),
    ] {
        let found = messages(dual::expand(arguments, quote!(impl A {})));
        assert!(found[0].contains(expected), "{found:?}");
    }
    let found = messages(dual::expand(
        quote!(blocking = B),
        quote!(impl Drop for A {}),
    ));
    assert!(
        found[0].contains("a trait impl has no generated blocking form"),
        "{found:?}"
    );
}

#[test]
fn all_mistakes_of_a_block_are_told_and_the_rest_is_generated() {
    let tokens = dual::expand(
        quote!(blocking = B),
        quote!(impl A {
            pub async fn one(&self, r: impl AsyncRead) {}
            pub async fn two(&self, r: impl AsyncRead) {}
            pub async fn good(&self) {}
        }),
    );
    assert_eq!(messages(tokens.clone()).len(), 2);
    assert!(flat(&tokens).contains("pubfngood(&self)"));
}

#[test]
fn a_blocking_type_offers_views_by_its_clone() {
    let expand = |tokens| flat(&twin::expand(tokens).unwrap());
    let cheap = expand(quote!(#[derive(Debug, Clone)] pub struct A wraps crate::A;));
    assert!(cheap.contains("pubfnwith_timeout(&self,"), "{cheap}");
    let owned = expand(quote!(pub struct A<T> wraps crate::A<T> where T: Send));
    assert!(owned.contains("pubfnwith_timeout(self,"), "{owned}");
    assert!(
        owned.contains("impl<T>::bifrons::TwinforA<T>whereT:Send"),
        "{owned}"
    );
    let none = expand(quote!(#[blocking(no_views)] pub struct A wraps crate::A));
    assert!(!none.contains("with_timeout"), "{none}");
    assert!(twin::expand(quote!(pub struct A(u8))).is_err());
}
