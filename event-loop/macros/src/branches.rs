//! The grammar of `select!`, which is tokio's.

use proc_macro2::{Span, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Pat, Result, Token, token};

/// As many as a set of 64 bits can tell apart.
const MOST: usize = 64;

const MISSING: &str =
    "expected `=> handler`: a branch is `pattern = future, if condition => handler`";

/// A `select!` as it was written.
pub(crate) struct Select {
    /// The crate whose macro it is, as its own `$crate` names it.
    pub(crate) root: TokenTree,
    pub(crate) biased: bool,
    pub(crate) branches: Vec<Branch>,
    /// What it comes to if every branch is disabled.
    pub(crate) otherwise: Option<Expr>,
}

/// `pattern = future, if condition => handler`.
pub(crate) struct Branch {
    pub(crate) pattern: Pat,
    pub(crate) future: Expr,
    pub(crate) condition: Option<Expr>,
    pub(crate) handler: Expr,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let root = input.parse()?;
        let biased = take_biased(input)?;
        let mut branches = Vec::new();
        let mut otherwise = None;
        while otherwise.is_none() && !input.is_empty() {
            if input.peek(Token![else]) {
                otherwise = Some(parse_else(input)?);
            } else {
                let place = input.span();
                branches.push(input.parse()?);
                if branches.len() > MOST {
                    let said = format!("select! takes {MOST} branches at most");
                    return Err(Error::new(place, said));
                }
            }
        }
        if branches.is_empty() && otherwise.is_none() {
            let said = "select! requires at least one branch: `pattern = future => handler`";
            return Err(Error::new(Span::call_site(), said));
        }
        Ok(Self {
            root,
            biased,
            branches,
            otherwise,
        })
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<Token![=]>()?;
        let future: Expr = input.parse()?;
        let mut condition = None;
        if input.peek(Token![,]) {
            let comma = input.parse::<Token![,]>()?;
            if !input.peek(Token![if]) {
                return Err(Error::new(comma.span, MISSING));
            }
            input.parse::<Token![if]>()?;
            condition = Some(input.parse()?);
        }
        if !input.peek(Token![=>]) {
            return Err(input.error(MISSING));
        }
        input.parse::<Token![=>]>()?;
        Ok(Self {
            pattern,
            future,
            condition,
            handler: parse_handler(input)?,
        })
    }
}

/// The mark of a `select!` that polls its branches in their order.
fn take_biased(input: ParseStream<'_>) -> Result<bool> {
    syn::custom_keyword!(biased);
    let found = input.peek(biased) && input.peek2(Token![;]);
    if found {
        input.parse::<biased>()?;
        input.parse::<Token![;]>()?;
    }
    Ok(found)
}

fn parse_else(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![else]>()?;
    input.parse::<Token![=>]>()?;
    let otherwise = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    if input.is_empty() {
        Ok(otherwise)
    } else {
        Err(input.error("`else` is the last branch of a select!"))
    }
}

/// A handler and the comma behind it, without which a block may do, and so may the last.
fn parse_handler(input: ParseStream<'_>) -> Result<Expr> {
    if input.peek(token::Brace) {
        let block = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        return Ok(Expr::Block(syn::ExprBlock {
            attrs: Vec::new(),
            label: None,
            block,
        }));
    }
    let handler = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(handler)
}
