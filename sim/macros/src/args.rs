//! The arguments of `#[sim::test(..)]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, Ident, Lit, Result, Token};

use crate::duration;

/// One argument: a method of `sim::Config` by its name, and what it is called with.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: TokenStream,
}

/// Each argument, and how it is written.
const ARGUMENTS: [(&str, &str); 7] = [
    ("seeds", "seeds = 1000"),
    ("profile", "profile = \"tokio-ct\""),
    ("time_limit", "time_limit = \"10 s\""),
    ("stall_after", "stall_after = \"10 min\""),
    ("polls", "polls = 100_000"),
    ("polls_at_once", "polls_at_once = 5_000_000"),
    ("on_blocking", "on_blocking = \"report\""),
];

/// Each profile's name, and its variant of `sim::Profile`.
const PROFILES: [(&str, &str); 5] = [
    ("tokio-mt", "TokioMt"),
    ("tokio-ct", "TokioCt"),
    ("exact", "Exact"),
    ("asyncio", "Asyncio"),
    ("uvloop", "Uvloop"),
];

/// Each policy about blocking calls, and its variant of `sim::OnBlocking`.
const POLICIES: [(&str, &str); 3] = [("fail", "Fail"), ("report", "Report"), ("allow", "Allow")];

/// The settings that are right, and every error there is, so that one compilation shows all.
pub(crate) fn parse(args: TokenStream) -> (Vec<Setting>, Option<Error>) {
    let mut settings = Vec::new();
    let mut errors = None;
    let parser = |input: ParseStream<'_>| {
        let mut names = Vec::new();
        while !input.is_empty() {
            match argument(input, &mut names) {
                Ok(setting) => settings.push(setting),
                Err(error) => {
                    join(&mut errors, error);
                    skip_to_comma(input)?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(args) {
        join(&mut errors, error);
    }
    (settings, errors)
}

/// Adds an error to those there are.
pub(crate) fn join(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

fn argument(input: ParseStream<'_>, names: &mut Vec<Ident>) -> Result<Setting> {
    let Ok(name) = input.call(Ident::parse_any) else {
        let found = input.parse::<TokenTree>()?;
        return Err(wrong(
            &found,
            format!("`{found}` is no argument: {}", allowed(&argument_names())),
        ));
    };
    let Some((_, example)) = ARGUMENTS.iter().find(|(known, _)| name == known) else {
        let (known, given) = (argument_names(), name.to_string());
        return Err(wrong(
            &name,
            format!(
                "unknown argument `{given}`: {}{}",
                allowed(&known),
                nearest(&given, &known)
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default(),
            ),
        ));
    };
    if names.contains(&name) {
        return Err(wrong(&name, format!("argument `{name}` is given twice")));
    }
    names.push(name.clone());
    let no_value = || wrong(&name, format!("`{name}` has no value: write `{example}`"));
    input.parse::<Token![=]>().map_err(|_| no_value())?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(no_value());
    }
    let expr = without_groups(input.parse()?);
    let value = match &*name.to_string() {
        "profile" => {
            let variant = one_of("profile", "profile", &PROFILES, &expr)?;
            quote!(::sim::Profile::#variant)
        }
        "on_blocking" => {
            let variant = one_of("on_blocking", "policy", &POLICIES, &expr)?;
            quote!(::sim::OnBlocking::#variant)
        }
        span @ ("time_limit" | "stall_after") => duration(span, &expr)?,
        integer => from_one(integer, &expr)?,
    };
    Ok(Setting { name, value })
}

fn from_one(name: &str, value: &Expr) -> Result<TokenStream> {
    let refuse = |more: &str| {
        let given = spelling(value);
        let text = format!("`{name}` must be an integer literal from 1, not `{given}`{more}");
        Err(wrong(value, text))
    };
    let Some(Lit::Int(literal)) = literal(value) else {
        return refuse("");
    };
    if !matches!(literal.suffix(), "" | "u64") {
        return refuse(": leave the suffix out");
    }
    match literal.base10_parse::<u64>() {
        Ok(1..) => Ok(literal.to_token_stream()),
        Ok(0) => refuse(""),
        Err(_) => refuse(": it does not fit 64 bits"),
    }
}

/// The variant that a word stands for.
fn one_of<const N: usize>(
    name: &str,
    what: &str,
    variants: &[(&str, &str); N],
    value: &Expr,
) -> Result<Ident> {
    let known = variants.map(|(word, _)| word);
    let Some(Lit::Str(text)) = literal(value) else {
        return Err(wrong(
            value,
            format!(
                "`{name}` must be a string literal, not `{}`: {}",
                spelling(value),
                allowed(&known.map(|word| format!("\"{word}\""))),
            ),
        ));
    };
    let given = text.value();
    let Some((_, variant)) = variants.iter().find(|(word, _)| *word == given) else {
        return Err(wrong(
            value,
            format!(
                "unknown {what} \"{given}\": {}{}",
                allowed(&known),
                nearest(&given, &known)
                    .map(|near| format!("; did you mean \"{near}\"?"))
                    .unwrap_or_default(),
            ),
        ));
    };
    Ok(Ident::new(variant, text.span()))
}

fn duration(name: &str, value: &Expr) -> Result<TokenStream> {
    match literal(value) {
        Some(Lit::Str(text)) => {
            let span = duration::parse(&text.value()).map_err(|error| wrong(value, error))?;
            let (secs, nanos) = (span.as_secs(), span.subsec_nanos());
            Ok(quote!(::core::time::Duration::new(#secs, #nanos)))
        }
        Some(Lit::Int(number)) => Err(wrong(
            value,
            format!("`{name} = {number}` has no unit: write `{name} = \"{number} s\"`"),
        )),
        // Of any other expression the compiler says whether it is a `Duration`.
        _ => Ok(value.to_token_stream()),
    }
}

fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        _ => None,
    }
}

/// An expression as it was most likely written.
fn spelling(value: &Expr) -> String {
    let spaced = value.to_token_stream().to_string();
    match value {
        Expr::Path(_) | Expr::Unary(_) => spaced.replace(' ', ""),
        _ => spaced,
    }
}

/// Fragments of `macro_rules!` come in groups without delimiters.
fn without_groups(mut value: Expr) -> Expr {
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    value
}

fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn argument_names() -> [&'static str; 7] {
    ARGUMENTS.map(|(name, _)| name)
}

fn allowed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("allowed are {}", names.join(", "))
}

/// The name that was probably meant: at most a third of it is typed wrong.
fn nearest<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let distance = |name: &str| strsim::osa_distance(given, name);
    let near = names.iter().copied().min_by_key(|name| distance(name))?;
    (distance(near) * 3 <= near.len()).then_some(near)
}

fn wrong(tokens: &impl ToTokens, message: String) -> Error {
    Error::new_spanned(tokens, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(args: TokenStream) -> Vec<String> {
        let errors = parse(args).1.into_iter().flatten();
        errors.map(|error| error.to_string()).collect()
    }

    #[test]
    fn every_error_is_told_and_what_is_right_is_kept() {
        let args = quote!(
            sedes = 3,
            polls = 0,
            seeds = 7,
            profile = "exakt",
            seeds = 8
        );
        let (settings, found) = parse(args.clone());
        assert_eq!(settings.len(), 1);
        assert_eq!(settings[0].name, "seeds");
        assert_eq!(settings[0].value.to_string(), "7");
        assert_eq!(found.into_iter().flatten().count(), 4);
        assert_eq!(
            errors(args),
            [
                "unknown argument `sedes`: allowed are seeds, profile, time_limit, \
                 stall_after, polls, polls_at_once, on_blocking; did you mean `seeds`?",
                "`polls` must be an integer literal from 1, not `0`",
                "unknown profile \"exakt\": allowed are tokio-mt, tokio-ct, exact, asyncio, uvloop; \
                 did you mean \"exact\"?",
                "argument `seeds` is given twice",
            ]
        );
    }

    #[test]
    fn a_missing_comma_is_an_error() {
        assert_eq!(errors(quote!(seeds = 3 polls = 4)), ["expected `,`"]);
    }

    #[test]
    fn integers_are_those_of_64_bits() {
        assert_eq!(
            errors(quote!(seeds = 18446744073709551615, polls = 0x10u64)),
            [""; 0]
        );
        assert_eq!(
            errors(quote!(seeds = 18446744073709551616)),
            [
                "`seeds` must be an integer literal from 1, not `18446744073709551616`: \
                 it does not fit 64 bits"
            ]
        );
    }

    #[test]
    fn only_a_name_that_is_near_is_suggested() {
        let names = argument_names();
        assert_eq!(nearest("seed", &names), Some("seeds"));
        assert_eq!(nearest("timelimit", &names), Some("time_limit"));
        assert_eq!(nearest("poll", &names), Some("polls"));
        assert_eq!(nearest("polls_at_one", &names), Some("polls_at_once"));
        assert_eq!(nearest("tokio", &names), None);
        assert_eq!(nearest("", &names), None);
    }
}
