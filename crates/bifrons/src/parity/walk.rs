//! The walk over the module tree of a crate.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, ImplItem, ImplItemFn, Item, ItemImpl, ItemMod, Lit, Meta, ReturnType,
    Signature, Token, Type, Visibility, parse::Parser, punctuated::Punctuated,
};

use super::{Entry, Kind, Manifest, Report};

/// What the source says.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) blocks: Vec<Block>,
    /// Public async functions outside of `#[dual]` blocks.
    pub(super) uncovered: Vec<Function>,
    /// In blocks that have no blocking form as a whole.
    pub(super) skipped: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) file: String,
    pub(super) name: String,
    /// The type it belongs to.
    of: Option<String>,
}

/// One `#[dual(blocking = ..)]` block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) file: String,
    pub(super) target: String,
    pub(super) part: String,
    /// Compiled under a condition, so that its manifest may be missing.
    pub(super) conditional: bool,
    methods: Vec<Method>,
}

#[derive(Debug)]
struct Method {
    name: String,
    kind: Kind,
    skip_reason: Option<String>,
    conditional: bool,
}

impl Block {
    pub(super) fn is_described_by(&self, manifest: &Manifest) -> bool {
        let file = manifest.file.replace('\\', "/");
        let same_file = file == self.file || file.ends_with(&format!("/{}", self.file));
        same_file && manifest.target == self.target && manifest.part == self.part
    }

    pub(super) fn manifest_name(&self) -> String {
        if self.part.is_empty() {
            "__DUAL".to_owned()
        } else {
            format!("__DUAL_{}", self.part.to_ascii_uppercase())
        }
    }

    pub(super) fn compare(
        &self,
        manifest: &Manifest,
        report: &mut Report,
        problems: &mut Vec<String>,
    ) {
        let mut unused: Vec<&Entry> = manifest.entries.iter().collect();
        for method in &self.methods {
            let name = format!("{}::{}", self.target, method.name);
            let Some(index) = unused.iter().position(|entry| entry.name == method.name) else {
                if !method.conditional {
                    problems.push(format!("{}: `{name}` is not in the manifest", self.file));
                }
                continue;
            };
            let entry = unused.remove(index);
            if entry.kind != method.kind || entry.skip_reason != method.skip_reason.as_deref() {
                problems.push(format!(
                    "{}: `{name}` is {:?} ({:?}) in the source and {:?} ({:?}) in the manifest",
                    self.file, method.kind, method.skip_reason, entry.kind, entry.skip_reason
                ));
            }
            match &method.skip_reason {
                Some(reason) => report.skipped.push((name, reason.clone())),
                None => report.covered.push(name),
            }
        }
        for entry in unused {
            problems.push(format!(
                "{}: `{}::{}` is in the manifest and not in the source",
                self.file, self.target, entry.name
            ));
        }
    }
}

/// Reads the crate from its root file on.
pub(super) fn crate_source(root: &Path, entry: &Path) -> Result<Source, String> {
    let mut walk = Walk {
        root: root.to_owned(),
        source: Source::default(),
        types: HashMap::new(),
    };
    let folder = entry.parent().map(Path::to_owned).unwrap_or_default();
    walk.file(entry, &folder, false)?;
    let Walk {
        mut source, types, ..
    } = walk;
    let is_public = |name: &String| types.get(name).copied().unwrap_or(true);
    source
        .uncovered
        .retain(|function| function.of.as_ref().is_none_or(is_public));
    Ok(source)
}

struct Walk {
    root: PathBuf,
    source: Source,
    /// The types declared in the crate, and whether one of that name is public.
    types: HashMap<String, bool>,
}

impl Walk {
    fn file(&mut self, path: &Path, folder: &Path, conditional: bool) -> Result<(), String> {
        let full = self.root.join(path);
        let text = fs::read_to_string(&full)
            .map_err(|error| format!("{} cannot be read: {error}", full.display()))?;
        let file = syn::parse_file(&text)
            .map_err(|error| format!("{} cannot be parsed: {error}", full.display()))?;
        self.items(&file.items, path, folder, conditional)
    }

    fn items(
        &mut self,
        items: &[Item],
        path: &Path,
        folder: &Path,
        conditional: bool,
    ) -> Result<(), String> {
        for item in items {
            match item {
                Item::Mod(module) => self.module(module, path, folder, conditional)?,
                Item::Impl(block) if block.trait_.is_none() && !is_test(&block.attrs) => {
                    self.block(block, path, conditional);
                }
                Item::Fn(function)
                    if is_open(&function.vis, &function.attrs) && is_async_like(&function.sig) =>
                {
                    self.uncovered(path, function.sig.ident.to_string(), None);
                }
                Item::Struct(item) => self.declared(&item.ident, &item.vis),
                Item::Enum(item) => self.declared(&item.ident, &item.vis),
                _ => {}
            }
        }
        Ok(())
    }

    fn module(
        &mut self,
        module: &ItemMod,
        path: &Path,
        folder: &Path,
        conditional: bool,
    ) -> Result<(), String> {
        if is_test(&module.attrs) {
            return Ok(());
        }
        let conditional = conditional || has(&module.attrs, "cfg");
        let name = module.ident.to_string();
        let name = name.trim_start_matches("r#");
        let inner = folder.join(name);
        if let Some((_, items)) = &module.content {
            return self.items(items, path, &inner, conditional);
        }
        let candidates = match text_of(&module.attrs, "path") {
            Some(file) => vec![path.with_file_name(file)],
            None => vec![folder.join(format!("{name}.rs")), inner.join("mod.rs")],
        };
        match candidates.iter().find(|file| self.root.join(file).exists()) {
            Some(file) => self.file(file, &inner, conditional),
            None => Err(format!(
                "{}: the file of module `{name}` is missing",
                display(path)
            )),
        }
    }

    fn declared(&mut self, name: &syn::Ident, visibility: &Visibility) {
        let public = matches!(visibility, Visibility::Public(_));
        *self.types.entry(name.to_string()).or_default() |= public;
    }

    fn uncovered(&mut self, path: &Path, name: String, of: Option<String>) {
        self.source.uncovered.push(Function {
            file: display(path),
            name,
            of,
        });
    }

    fn block(&mut self, block: &ItemImpl, path: &Path, conditional: bool) {
        let target = type_name(&block.self_ty);
        let methods = block.items.iter().filter_map(|item| match item {
            ImplItem::Fn(method) if is_open(&method.vis, &method.attrs) => Some(method),
            _ => None,
        });
        let dual = block.attrs.iter().find(|attribute| {
            attribute
                .path()
                .segments
                .last()
                .is_some_and(|last| last.ident == "dual")
        });
        let Some(dual) = dual else {
            let of = target.rsplit("::").next().map(str::to_owned);
            for method in methods.filter(|method| is_async_like(&method.sig)) {
                self.uncovered(path, format!("{target}::{}", method.sig.ident), of.clone());
            }
            return;
        };
        let arguments = arguments(dual);
        if let Some(reason) = argument(&arguments, "skip") {
            for method in methods {
                let name = format!("{target}::{}", method.sig.ident);
                self.source.skipped.push((name, reason.clone()));
            }
            return;
        }
        self.source.blocks.push(Block {
            file: display(path),
            target,
            part: argument(&arguments, "part").unwrap_or_default(),
            conditional: conditional || has(&block.attrs, "cfg"),
            methods: methods.map(method).collect(),
        });
    }
}

fn method(method: &ImplItemFn) -> Method {
    let options: Vec<Meta> = method
        .attrs
        .iter()
        .filter(|a| a.path().is_ident("blocking"))
        .flat_map(arguments)
        .collect();
    let set = |name: &str| options.iter().any(|meta| meta.path().is_ident(name));
    let named = set("skip") || set("wrap") || set("forward");
    let streams = set("iter") || (!named && returns(&method.sig, &STREAMS));
    let kind = match (streams, method.sig.asyncness.is_some()) {
        (true, _) => Kind::Stream,
        (false, true) => Kind::Async,
        (false, false) => Kind::Sync,
    };
    Method {
        name: method
            .sig
            .ident
            .to_string()
            .trim_start_matches("r#")
            .to_owned(),
        kind,
        skip_reason: argument(&options, "skip"),
        conditional: has(&method.attrs, "cfg"),
    }
}

const STREAMS: [&str; 3] = ["Stream", "BoxStream", "TryStream"];
const FUTURES: [&str; 3] = ["Future", "BoxFuture", "IntoFuture"];

fn is_open(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_test(attributes)
}

/// Async, or returns something to poll.
fn is_async_like(sig: &Signature) -> bool {
    sig.asyncness.is_some() || returns(sig, &STREAMS) || returns(sig, &FUTURES)
}

fn returns(sig: &Signature, names: &[&str]) -> bool {
    let ReturnType::Type(_, ty) = &sig.output else {
        return false;
    };
    let text = ty.to_token_stream().to_string();
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| names.contains(&word))
}

/// A type as the manifest names it: its path without generic arguments.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => {
            let names: Vec<_> = path
                .path
                .segments
                .iter()
                .map(|s| s.ident.to_string())
                .collect();
            names.join("::")
        }
        other => other.to_token_stream().to_string().replace(' ', ""),
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
}

/// `#[cfg(test)]`, or a condition that names it.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .any(|attribute| {
            arguments(attribute).iter().any(|meta| match meta {
                Meta::Path(path) => path.is_ident("test"),
                Meta::List(list) if list.path.is_ident("all") => list
                    .tokens
                    .to_string()
                    .split(',')
                    .any(|word| word.trim() == "test"),
                _ => false,
            })
        })
}

/// `a = .., b(..), c` inside an attribute.
fn arguments(attribute: &Attribute) -> Vec<Meta> {
    let Meta::List(list) = &attribute.meta else {
        return Vec::new();
    };
    // Values such as `blocking = crate::Type<T>` are not expressions: they are taken apart by hand.
    Punctuated::<Argument, Token![,]>::parse_terminated
        .parse2(list.tokens.clone())
        .map(|arguments| arguments.into_iter().map(|argument| argument.0).collect())
        .unwrap_or_default()
}

/// An argument whose value may be a type, which is then dropped.
struct Argument(Meta);

impl syn::parse::Parse for Argument {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if let (Ok(path), Ok(_)) = (ahead.parse::<syn::Path>(), ahead.parse::<Token![=]>())
            && !ahead.peek(syn::LitStr)
        {
            input.parse::<syn::Path>()?;
            input.parse::<Token![=]>()?;
            input.parse::<Type>()?;
            return Ok(Self(Meta::Path(path)));
        }
        input.parse().map(Self)
    }
}

fn argument(arguments: &[Meta], name: &str) -> Option<String> {
    arguments.iter().find_map(|meta| match meta {
        Meta::NameValue(pair) if pair.path.is_ident(name) => text(&pair.value),
        _ => None,
    })
}

fn text_of(attributes: &[Attribute], name: &str) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident(name) => text(&pair.value),
            _ => None,
        })
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

fn display(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}
