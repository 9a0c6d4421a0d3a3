//! One public method: its blocking form, its manifest entry, its Send assertion.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Error, FnArg, GenericParam, Ident, ImplItemFn, Pat, Receiver, ReceiverKind, Result, ReturnType,
    Signature, Type, ext::IdentExt, parse_quote_spanned, spanned::Spanned,
};

use crate::attributes::{self, Options};
use crate::refuse;
use crate::shape::{self, Leaf, Shape};

/// What a public method of the async block leads to.
pub(crate) struct Twin {
    /// In the blocking block.
    pub(crate) blocking: TokenStream,
    /// In the manifest.
    pub(crate) entry: TokenStream,
    /// In a block of the async type that exists when the blocking one does not.
    pub(crate) assertion: TokenStream,
}

/// How the async method takes `self`.
#[derive(Clone, Copy, PartialEq)]
enum Taken {
    Not,
    Ref,
    Mut,
    Value,
    Arc,
    Boxed,
}

struct Method<'a> {
    source: &'a ImplItemFn,
    own: &'a Type,
    /// Span of generated code: the name of the async method, with names of its own.
    at: Span,
    taken: Taken,
    /// The signature of the blocking method.
    sig: Signature,
    arguments: Vec<Ident>,
    /// Unwraps arguments that are blocking values into async ones.
    unwrap: TokenStream,
    shape: Shape,
    is_async: bool,
    eager: bool,
}

pub(crate) fn expand(source: &ImplItemFn, own: &Type, options: &Options) -> Result<Twin> {
    let name = source.sig.ident.unraw().to_string();
    let conditions = attributes::conditions(&source.attrs);
    let is_async = source.sig.asyncness.is_some();
    let entry = |kind: TokenStream, skip: TokenStream| {
        quote!(#(#conditions)* ::bifrons::__private::Entry::new(
            #name, ::bifrons::__private::Kind::#kind, #skip
        ))
    };
    if let Some(reason) = &options.skip {
        return Ok(Twin {
            blocking: TokenStream::new(),
            entry: entry(
                shape::kind(is_async, Leaf::Plain),
                quote!(::core::option::Option::Some(#reason)),
            ),
            assertion: TokenStream::new(),
        });
    }
    refuse::signature(&source.sig)?;
    let method = Method::new(source, own, options)?;
    let kind = shape::kind(is_async, method.shape.leaf);
    Ok(Twin {
        entry: entry(kind, quote!(::core::option::Option::None)),
        assertion: method.assertion(),
        blocking: method.blocking(),
    })
}

impl<'a> Method<'a> {
    fn new(source: &'a ImplItemFn, own: &'a Type, options: &Options) -> Result<Self> {
        let at = Span::mixed_site().located_at(source.sig.ident.span());
        let mut sig = source.sig.clone();
        let is_async = sig.asyncness.take().is_some();
        sig.constness = None;
        let (mut taken, mut arguments, mut unwrap) = (Taken::Not, Vec::new(), TokenStream::new());
        for (index, input) in sig.inputs.iter_mut().enumerate() {
            match input {
                FnArg::Receiver(receiver) => {
                    taken = Taken::of(receiver)?;
                    receiver.attrs.clear();
                    if taken == Taken::Value {
                        receiver.mutability = None;
                    }
                }
                FnArg::Typed(argument) => {
                    argument.attrs.clear();
                    let ident = match &*argument.pat {
                        Pat::Ident(pattern) => pattern.ident.clone(),
                        _ => format_ident!("arg{index}"),
                    };
                    *argument.pat = syn::parse_quote!(#ident);
                    unwrap.extend(unwrapped(&ident, &mut argument.ty, own, at)?);
                    arguments.push(ident);
                }
            }
        }
        let output = match &source.sig.output {
            ReturnType::Type(_, ty) if is_reference(ty, own) => {
                if !mutable_step(&source.sig, taken, own) {
                    return Err(refuse::at(
                        ty.span(),
                        "of references to `Self`, `&mut self -> &mut Self` without async is \
                         understood",
                    ));
                }
                &ReturnType::Default
            }
            output => output,
        };
        let shape = Shape::of(output, own, options, at)?;
        if options.eager && !is_async {
            return Err(Error::new(
                source.sig.ident.span(),
                "`eager` is for an async method: this one is not polled",
            ));
        }
        if shape.leaf == Leaf::Plain && (options.wrap.is_some() || options.iter.is_some()) {
            return Err(Error::new(
                source.sig.ident.span(),
                "`wrap` and `iter` need a returned value to convert",
            ));
        }
        Ok(Self {
            source,
            own,
            at,
            taken,
            sig,
            arguments,
            unwrap,
            shape,
            is_async,
            eager: options.eager,
        })
    }

    /// `<Async>::method::<T>(inner, arguments)`.
    fn call(&self, inner: Option<TokenStream>) -> TokenStream {
        let (own, name, arguments) = (self.own, &self.source.sig.ident, &self.arguments);
        let turbofish = self.turbofish();
        let arguments = inner
            .into_iter()
            .chain(arguments.iter().map(ToTokens::to_token_stream));
        quote_spanned!(self.at=> <#own>::#name #turbofish (#(#arguments),*))
    }

    fn turbofish(&self) -> TokenStream {
        let generics = &self.source.sig.generics.params;
        let arguments: Vec<_> = generics.iter().filter_map(named).collect();
        if arguments.is_empty() {
            TokenStream::new()
        } else {
            quote!(::<#(#arguments),*>)
        }
    }

    fn blocking(mut self) -> TokenStream {
        if self.taken == Taken::Not {
            return self.associated();
        }
        let this = self.sig.receiver().map(|receiver| receiver.self_token);
        let (at, unwrap) = (self.at, &self.unwrap);
        let step = self.call(Some(quote_spanned!(at=> __inner)));
        if mutable_step(&self.source.sig, self.taken, self.own) {
            let body = quote_spanned!(at=>
                #unwrap
                let __inner = ::bifrons::Twin::held_mut(#this).parts_mut().0;
                #step;
                #this
            );
            return self.function(&self.sig, &body, false);
        }
        if self.taken == Taken::Value && !self.is_async && self.shape.is_own() {
            let body = quote_spanned!(at=>
                #unwrap
                let __held = ::bifrons::Twin::into_held(#this);
                ::bifrons::Twin::from_held(__held.step(move |__inner| #step))
            );
            self.sig.output = self.shape.output.clone();
            return self.function(&self.sig, &body, false);
        }
        let parts = self.parts(&this.to_token_stream());
        let body = self.body(&parts);
        self.sig.output = self.shape.output.clone();
        self.function(&self.sig, &body, self.can_panic())
    }

    /// Where the async value and the bridge come from.
    fn parts(&self, this: &TokenStream) -> TokenStream {
        let at = self.at;
        match self.taken {
            Taken::Not => TokenStream::new(),
            Taken::Ref => quote_spanned!(at=>
                let (__inner, __bridge) = ::bifrons::Twin::held(#this).parts();
            ),
            Taken::Mut => quote_spanned!(at=>
                let (__inner, __bridge) = ::bifrons::Twin::held_mut(#this).parts_mut();
            ),
            Taken::Value => quote_spanned!(at=>
                let (__inner, __bridge) = ::bifrons::Twin::into_held(#this).into_parts();
            ),
            Taken::Boxed => quote_spanned!(at=>
                let (__inner, __bridge) = ::bifrons::Twin::into_held(*#this).into_parts();
                let __inner = ::std::boxed::Box::new(__inner);
            ),
            Taken::Arc => quote_spanned!(at=>
                let (__inner, __bridge) = ::bifrons::Twin::held(&*#this).parts();
                let __inner = ::std::sync::Arc::new(::core::clone::Clone::clone(__inner));
            ),
        }
    }

    /// Runs the async method and converts its value; `__bridge` and, with a receiver, `__inner`
    /// are bound by `parts`.
    fn body(&self, parts: &TokenStream) -> TokenStream {
        let at = self.at;
        let inner = (self.taken != Taken::Not).then(|| quote_spanned!(at=> __inner));
        let call = self.call(inner);
        let block_on = match self.eager {
            true => quote_spanned!(at=> block_on_eagerly),
            false => quote_spanned!(at=> block_on),
        };
        let value = if !self.is_async {
            quote_spanned!(at=> __bridge.enter(move || #call))
        } else if self.shape.fallible {
            quote_spanned!(at=> __bridge.#block_on(async move { #call.await })?)
        } else {
            quote_spanned!(at=> ::bifrons::__private::or_panic(
                __bridge.#block_on(async move { #call.await })
            ))
        };
        let value = self.shape.apply(&value, at);
        let unwrap = &self.unwrap;
        quote_spanned!(at=> #unwrap #parts #value)
    }

    /// A function without `self`: on the shared runtime, and as `.._on` on a given one.
    fn associated(mut self) -> TokenStream {
        let at = self.at;
        if !self.is_async && self.shape.leaf == Leaf::Plain {
            let call = self.call(None);
            let unwrap = &self.unwrap;
            let body = quote_spanned!(at=> #unwrap #call);
            return self.function(&self.sig, &body, false);
        }
        let body = self.body(&quote_spanned!(at=>
            let __bridge = ::bifrons::Bridge::new(runtime);
        ));
        self.sig.output = self.shape.output.clone();
        let shared = self.sig.clone();
        let name = format_ident!("{}_on", shared.ident, span = shared.ident.span());
        let mut on = shared.clone();
        on.ident = name.clone();
        on.inputs.insert(
            0,
            parse_quote_spanned!(at=> runtime: ::bifrons::BlockingRuntime),
        );

        let (arguments, turbofish) = (&self.arguments, self.turbofish());
        let runtime = if self.shape.fallible {
            quote_spanned!(at=> ::bifrons::BlockingRuntime::shared()?)
        } else {
            quote_spanned!(at=> ::bifrons::__private::or_panic(::bifrons::BlockingRuntime::shared()))
        };
        let delegate = quote_spanned!(at=>
            let __runtime = #runtime;
            Self::#name #turbofish (__runtime #(, #arguments)*)
        );
        let mut functions = self.function(&shared, &delegate, !self.shape.fallible);
        functions.extend(self.function(&on, &body, self.can_panic()));
        functions
    }

    fn can_panic(&self) -> bool {
        self.is_async && !self.shape.fallible
    }

    fn function(&self, sig: &Signature, body: &TokenStream, panics: bool) -> TokenStream {
        let attributes = attributes::carried(&self.source.attrs);
        let visibility = &self.source.vis;
        let docs = self.docs(sig, panics);
        let track = (panics && !attributes::has(&self.source.attrs, "track_caller"))
            .then(|| quote_spanned!(self.at=> #[track_caller]));
        quote_spanned!(self.at=>
            #[doc = #docs] #(#attributes)* #track #visibility #sig { #body }
        )
    }

    fn docs(&self, sig: &Signature, panics: bool) -> String {
        const MISUSE: &str = "where a thread may not block, and when the time is up or the call is \
            cancelled: see [`BlockingError`](::bifrons::BlockingError).";
        let (source, name) = (
            attributes::link_path(self.own),
            self.source.sig.ident.unraw(),
        );
        let mut docs = attributes::first_paragraph(&self.source.attrs);
        docs += &if sig.ident == self.source.sig.ident {
            format!("\nBlocking form of [`{source}::{name}()`].\n")
        } else {
            format!(
                "\nOn a runtime of the caller's choice; otherwise as [`{name}`](Self::{name}).\n"
            )
        };
        if self.is_async && self.shape.fallible {
            docs += &format!("\n# Errors\n\nThose of the async method, and one {MISUSE}\n");
        } else if self.shape.fallible {
            docs += "\n# Errors\n\nThose of the async method.\n";
        }
        if panics {
            docs += &format!("\n# Panics\n\nThere is no error to return {MISUSE}\n");
        }
        docs
    }

    /// Fails to compile when the future or stream is not `Send`.
    fn assertion(&self) -> TokenStream {
        let check = match (self.is_async, self.shape.leaf) {
            (true, _) => quote!(future),
            (false, Leaf::Stream) => quote!(value),
            (false, _) => return TokenStream::new(),
        };
        let at = self.at;
        let mut sig = self.source.sig.clone();
        let name = sig.ident.unraw();
        let conditions = attributes::conditions(&self.source.attrs);
        sig.ident = format_ident!("__{name}_is_send", span = name.span());
        (sig.asyncness, sig.constness, sig.output) = (None, None, ReturnType::Default);
        for (input, plain) in sig.inputs.iter_mut().zip(&self.sig.inputs) {
            match (input, plain) {
                (FnArg::Typed(input), FnArg::Typed(plain)) => {
                    input.attrs.clear();
                    input.pat = plain.pat.clone();
                }
                (FnArg::Receiver(receiver), _) if self.taken == Taken::Value => {
                    receiver.mutability = None;
                }
                _ => {}
            }
        }
        let this = sig
            .receiver()
            .map(|receiver| receiver.self_token.to_token_stream());
        let call = self.call(this);
        quote_spanned!(at=> #(#conditions)* #sig { ::bifrons::__private::send::#check(#call); })
    }
}

impl Taken {
    fn of(receiver: &Receiver) -> Result<Self> {
        let reference = |mutable| if mutable { Self::Mut } else { Self::Ref };
        match &receiver.kind {
            ReceiverKind::Value => return Ok(Self::Value),
            ReceiverKind::Reference(_, _, mutability) => {
                return Ok(reference(mutability.is_some()));
            }
            ReceiverKind::Typed(_, ty) => match &**ty {
                Type::Reference(ty) if is_self(&ty.elem) => {
                    return Ok(reference(ty.mutability.is_some()));
                }
                ty => match ty.to_token_stream().to_string().rsplit(":: ").next() {
                    Some("Self") => return Ok(Self::Value),
                    Some("Arc < Self >") => return Ok(Self::Arc),
                    Some("Box < Self >") => return Ok(Self::Boxed),
                    _ => {}
                },
            },
            _ => {}
        }
        Err(refuse::at(
            receiver.self_token.span,
            "of receivers, `self`, `&self`, `&mut self`, `Arc<Self>` and `Box<Self>` are understood",
        ))
    }
}

/// `&mut self -> &mut Self`, not async.
fn mutable_step(sig: &Signature, taken: Taken, own: &Type) -> bool {
    taken == Taken::Mut
        && sig.asyncness.is_none()
        && matches!(&sig.output, ReturnType::Type(_, ty)
            if is_reference(ty, own) && matches!(&**ty, Type::Reference(r) if r.mutability.is_some()))
}

fn is_reference(ty: &Type, own: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if shape::is_own(&reference.elem, own))
}

fn is_self(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("Self"))
}

/// An argument of the blocking method: `Self` in it is the blocking type, which holds the async one.
fn unwrapped(ident: &Ident, ty: &mut Type, own: &Type, at: Span) -> Result<TokenStream> {
    let spelled: Type = syn::parse_quote!(Self);
    if shape::is_own(ty, own) {
        *ty = spelled;
        return Ok(quote_spanned!(at=>
            let #ident = ::bifrons::Twin::into_held(#ident).into_parts().0;
        ));
    }
    if let Type::Reference(reference) = ty
        && shape::is_own(&reference.elem, own)
    {
        *reference.elem = spelled;
        return Ok(match reference.mutability {
            None => quote_spanned!(at=> let #ident = ::bifrons::Twin::held(#ident).parts().0;),
            Some(_) => {
                quote_spanned!(at=> let #ident = ::bifrons::Twin::held_mut(#ident).parts_mut().0;)
            }
        });
    }
    match refuse::find(&ty.to_token_stream(), &["Self"]) {
        Some(name) => Err(refuse::at(
            name.span(),
            "`Self`: inside an argument it has no blocking form, by value or reference it has",
        )),
        None => Ok(TokenStream::new()),
    }
}

/// A generic parameter as an argument; lifetimes are inferred.
fn named(parameter: &GenericParam) -> Option<TokenStream> {
    match parameter {
        GenericParam::Type(ty) => Some(ty.ident.to_token_stream()),
        GenericParam::Const(constant) => Some(constant.ident.to_token_stream()),
        GenericParam::Lifetime(_) => None,
    }
}
