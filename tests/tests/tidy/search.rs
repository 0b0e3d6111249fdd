//! Reads the workspace's Rust files, and finds in them what a pure crate does not use.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use walkdir::WalkDir;

/// What the pure crates do not touch, as paths of std; whatever is below one is meant too.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::hash::RandomState",
];

/// What else they do not touch: state that outlives a run, and numbers that machines round
/// differently.
pub(crate) const STATIC: &str = "a static";
pub(crate) const THREAD_LOCAL: &str = "thread_local!";
pub(crate) const FLOAT: &str = "a float";

/// A Rust file of the workspace.
pub(crate) struct Source {
    /// Its path from the workspace's root.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Something that a pure crate does not use.
#[derive(Clone)]
pub(crate) struct Impurity {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

impl std::fmt::Display for Impurity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl Source {
    pub(crate) fn tokens(&self) -> TokenStream {
        let parsed = self.text.parse();
        parsed.unwrap_or_else(|why| panic!("{} is not Rust: {why}", self.file))
    }

    /// What is impure in it, in order, but for its tests.
    pub(crate) fn impurities(&self) -> Vec<Impurity> {
        let parsed = syn::parse_file(&self.text);
        let parsed = parsed.unwrap_or_else(|why| panic!("{} is not Rust: {why}", self.file));
        let mut search = Search::default();
        search.visit_file(&parsed);
        let found = search.found.into_iter().map(|(line, what)| Impurity {
            file: self.file.clone(),
            line,
            what,
        });
        found.collect()
    }
}

/// Walks a file's syntax; in macros, where there is none, its tokens.
#[derive(Default)]
struct Search {
    found: Vec<(usize, &'static str)>,
}

impl Search {
    fn find(&mut self, span: Span, what: &'static str) {
        self.found.push((span.start().line, what));
    }

    /// A path that is named, or imported: an import of what lies above an impure thing counts,
    /// for by it the thing can be named.
    fn path(&mut self, path: &[String], span: Span, imported: bool) {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let Some((&("std" | "core" | "alloc"), below)) = path.split_first() else {
            return;
        };
        for impure in IMPURE {
            let parts: Vec<_> = impure.split("::").skip(1).collect();
            if below.starts_with(&parts) || (imported && parts.starts_with(below)) {
                self.find(span, impure);
            }
        }
    }

    fn import(&mut self, tree: &syn::UseTree, path: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path);
                path.pop();
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                if ident != "self" {
                    path.push(ident.to_string());
                }
                self.path(path, ident.span(), true);
                if ident != "self" {
                    path.pop();
                }
            }
            syn::UseTree::Glob(glob) => self.path(path, glob.star_token.spans[0], true),
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.import(item, path);
                }
            }
        }
    }

    /// Reads what a macro is given.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut span = Span::call_site();
        let mut before = None;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let joins = matches!(&token, TokenTree::Punct(p) if p.as_char() == ':');
            if let TokenTree::Ident(ident) = &token {
                let name = ident.to_string();
                if before != Some(':') {
                    path.clear();
                    span = ident.span();
                }
                match name.as_str() {
                    "static" if before != Some('\'') => self.find(ident.span(), STATIC),
                    "f32" | "f64" => self.find(ident.span(), FLOAT),
                    _ => {}
                }
                path.push(name);
                let goes_on = matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == ':' && p.spacing() == Spacing::Joint);
                if !goes_on {
                    self.path(&std::mem::take(&mut path), span, false);
                }
            } else if !joins {
                path.clear();
            }
            before = match token {
                TokenTree::Punct(punct) => Some(punct.as_char()),
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    None
                }
                TokenTree::Literal(literal) => {
                    let float = matches!(syn::Lit::new(literal.clone()), syn::Lit::Float(_));
                    // `pair.0.1` has a literal too.
                    if float && before != Some('.') {
                        self.find(literal.span(), FLOAT);
                    }
                    None
                }
                TokenTree::Ident(_) => None,
            };
        }
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[][..],
        };
        if !attributes.iter().any(is_cfg_test) {
            visit::visit_item(self, item);
        }
    }

    /// Documentation is here.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &mut Vec::new());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.path(&[item.ident.to_string()], item.ident.span(), true);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.find(item.static_token.span, STATIC);
        visit::visit_item_static(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let first = path
            .segments
            .first()
            .map_or_else(Span::call_site, |s| s.ident.span());
        if parts.iter().any(|part| part == "f32" || part == "f64") {
            self.find(first, FLOAT);
        }
        self.path(&parts, first, false);
        visit::visit_path(self, path);
    }

    fn visit_lit_float(&mut self, literal: &'ast syn::LitFloat) {
        self.find(literal.span(), FLOAT);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.segments.last()
            && name.ident == "thread_local"
        {
            self.find(name.ident.span(), THREAD_LOCAL);
        }
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|condition| condition.is_ident("test"))
}

/// What is impure in a folder.
pub(crate) fn impurities(folder: &str) -> Vec<Impurity> {
    let sources = sources(folder);
    assert!(!sources.is_empty(), "there is no {folder}");
    sources.iter().flat_map(Source::impurities).collect()
}

/// Calls `each` with every identifier, where it is, and the character after it.
pub(crate) fn for_each_ident(tokens: TokenStream, each: &mut impl FnMut(&str, Span, Option<char>)) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            // A keyword alone in brackets is only named: `Token![unsafe]`.
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket
                    && group.stream().into_iter().count() == 1 => {}
            TokenTree::Group(group) => for_each_ident(group.stream(), each),
            TokenTree::Ident(ident) => {
                let next = match tokens.peek() {
                    Some(TokenTree::Punct(punct)) => Some(punct.as_char()),
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                        Some('{')
                    }
                    _ => None,
                };
                each(&ident.to_string(), ident.span(), next);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace is above")
}

/// A path from the workspace's root, with slashes.
pub(crate) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("it is in the workspace");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The Rust files of a folder, in order; what cargo builds and what is hidden left out.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let built_or_hidden = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() > 0
            && entry.file_type().is_dir()
            && (name == "target" || name.starts_with('.'))
    };
    WalkDir::new(root().join(folder))
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !built_or_hidden(entry))
        .map(|entry| entry.expect("the workspace can be read").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            file: relative(&path),
            text: read(&path),
        })
        .collect()
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The searches above, on sources that offend.
mod the_search_finds {
    use super::*;

    #[track_caller]
    fn assert_finds(text: &str, expected: &[(usize, &'static str)]) {
        let source = Source {
            file: "offender.rs".to_owned(),
            text: text.to_owned(),
        };
        let found = source.impurities();
        let found: Vec<_> = found.iter().map(|f| (f.line, f.what)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn imports_in_all_their_forms() {
        assert_finds("use std::{env, io};", &[(1, "std::env")]);
        assert_finds("\nuse ::std::fs::File;", &[(2, "std::fs")]);
        assert_finds(
            "use core::time as t;",
            &[(1, "std::time::Instant"), (1, "std::time::SystemTime")],
        );
        assert_finds(
            "use std::net::{IpAddr, TcpStream as S};",
            &[(1, "std::net::TcpStream")],
        );
        assert_finds("use std::hash::*;", &[(1, "std::hash::RandomState")]);
        assert_finds(
            "use std::thread::{self, sleep};",
            &[(1, "std::thread"), (1, "std::thread")],
        );
        assert_finds("use std::time::Duration;", &[]);
        assert_finds("use std::net::SocketAddr;", &[]);
    }

    #[test]
    fn paths_in_code_types_and_macros() {
        assert_finds("fn f() { std::env::var(\"A\"); }", &[(1, "std::env")]);
        assert_finds(
            "struct S(std::time::Instant);",
            &[(1, "std::time::Instant")],
        );
        assert_finds(
            "fn f() {\n println!(\"{:?}\",\n std::env::args()); }",
            &[(3, "std::env")],
        );
        assert_finds(
            "macro_rules! m { () => { std::fs::read(\"a\") } }",
            &[(1, "std::fs")],
        );
    }

    #[test]
    fn state_and_floats() {
        assert_finds("static S: u8 = 0;", &[(1, STATIC)]);
        assert_finds("fn f() { static S: u8 = 0; }", &[(1, STATIC)]);
        assert_finds(
            "macro_rules! m { () => { static S: u8 = 0; } }",
            &[(1, STATIC)],
        );
        assert_finds(
            "thread_local! { static S: u8 = 0; }",
            &[(1, THREAD_LOCAL), (1, STATIC)],
        );
        assert_finds("fn f(x: f64) -> u64 { x as u64 }", &[(1, FLOAT)]);
        assert_finds("fn f() { let x = 0.5; }", &[(1, FLOAT)]);
        assert_finds("fn f() { assert!(x < 1e3) }", &[(1, FLOAT)]);
        assert_finds(
            "fn f(s: &'static str) { assert!(s.0.1 < g::<'static>(0x1e3)) }",
            &[],
        );
    }

    #[test]
    fn nothing_in_tests_and_comments() {
        assert_finds("/// `std::env::var` and 0.5\nfn f() {} // std::fs", &[]);
        assert_finds(
            "#[cfg(test)]\nmod tests { use std::env; static S: f64 = 0.5; }",
            &[],
        );
        assert_finds(
            "#[cfg(not(test))]\nmod m { use std::env; }",
            &[(2, "std::env")],
        );
    }
}
