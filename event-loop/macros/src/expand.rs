//! What a `select!` becomes: one future that polls those of its branches, and a match on which of
//! them was ready.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use crate::branches::{Branch, Select};

/// A branch, its number, and what that names.
struct Numbered<'a> {
    branch: &'a Branch,
    number: Literal,
    mask: Literal,
    future: Ident,
    variant: Ident,
}

pub(crate) fn select(select: &Select) -> TokenStream {
    let at = Span::mixed_site();
    let otherwise = match &select.otherwise {
        Some(otherwise) => otherwise.to_token_stream(),
        None => quote_spanned! {at=>
            ::core::panic!("all branches are disabled and there is no else branch")
        },
    };
    if select.branches.is_empty() {
        return quote_spanned!(at=> { #otherwise });
    }
    let branches: Vec<_> = select.branches.iter().enumerate().map(number).collect();
    let variants: Vec<_> = branches.iter().map(|branch| &branch.variant).collect();
    let conditions = branches.iter().filter_map(condition);
    let first_ready = first_ready(select, &branches);
    let arms = branches.iter().map(|numbered| {
        let Branch {
            pattern, handler, ..
        } = numbered.branch;
        let variant = &numbered.variant;
        quote_spanned!(at=> __Select::#variant(#pattern) => #handler,)
    });
    quote_spanned! {at=> {
        #[allow(non_camel_case_types, dead_code)]
        enum __Select<#(#variants),*> {
            #(#variants(#variants),)*
            Disabled,
        }

        let mut disabled: u64 = 0;
        #(#conditions)*
        #[allow(unused_mut)]
        let mut ready = #first_ready;
        #[allow(unreachable_patterns)]
        match ready {
            #(#arms)*
            __Select::Disabled => #otherwise,
            _ => ::core::unreachable!("only what matches its pattern ends a select!"),
        }
    }}
}

fn number((number, branch): (usize, &Branch)) -> Numbered<'_> {
    let at = Span::mixed_site();
    Numbered {
        branch,
        number: Literal::usize_unsuffixed(number),
        mask: Literal::u64_unsuffixed(1 << number),
        future: Ident::new(&format!("future_{number}"), at),
        variant: Ident::new(&format!("_{number}"), at),
    }
}

/// What disables a branch from the start.
fn condition(numbered: &Numbered<'_>) -> Option<TokenStream> {
    let condition = numbered.branch.condition.as_ref()?;
    let mask = &numbered.mask;
    Some(quote_spanned! {Span::mixed_site()=>
        let enabled: bool = #condition;
        if !enabled {
            disabled |= #mask;
        }
    })
}

/// Waits for the first branch that is ready and matches. Its futures are gone afterwards, in their
/// order, so that the handler may use what they borrowed.
fn first_ready(select: &Select, branches: &[Numbered<'_>]) -> TokenStream {
    let at = Span::mixed_site();
    let root = &select.root;
    let futures: Vec<_> = branches.iter().map(|branch| &branch.future).collect();
    let expressions = select.branches.iter().map(|branch| &branch.future);
    // Each at the place of its expression, which is what the compiler then complains of.
    let intos = branches.iter().map(|numbered| {
        let number = &numbered.number;
        let there = place_of(&numbered.branch.future);
        quote_spanned!(there=> ::core::future::IntoFuture::into_future(written.#number))
    });
    // Locals are dropped last to first.
    let pinned = branches.iter().rev().map(|numbered| {
        let future = &numbered.future;
        quote_spanned!(at=> let mut #future = ::core::pin::pin!(#future);)
    });
    let polls = branches.iter().map(poll);
    let count = Literal::usize_unsuffixed(branches.len());
    let start = if select.biased {
        quote_spanned!(at=> 0)
    } else {
        quote_spanned!(at=> #root::__private::first_branch(#count))
    };
    quote_spanned! {at=> {
        // By itself, for then what it borrows for a moment lives as long as the futures do.
        let written = (#(#expressions,)*);
        let (#(#futures,)*) = (#(#intos,)*);
        #(#pinned)*
        let first = ::core::future::poll_fn(|cx| {
            ::core::task::ready!(#root::__private::poll_budget_available(cx));
            let mut pending = false;
            let mut next: u32 = #start;
            for _ in 0..#count {
                let branch = next;
                next = if branch + 1 == #count { 0 } else { branch + 1 };
                match branch {
                    #(#polls)*
                    _ => ::core::unreachable!("the branches are all there are"),
                }
            }
            if pending {
                ::core::task::Poll::Pending
            } else {
                ::core::task::Poll::Ready(__Select::Disabled)
            }
        });
        first.await
    }}
}

/// Polls a branch, unless it is disabled, which it is itself when it is ready but does not match.
fn poll(numbered: &Numbered<'_>) -> TokenStream {
    let Numbered {
        branch,
        number,
        mask,
        future,
        variant,
    } = numbered;
    let pattern = &branch.pattern;
    let polled = quote_spanned! {place_of(&branch.future)=>
        ::core::future::Future::poll(#future.as_mut(), cx)
    };
    quote_spanned! {Span::mixed_site()=>
        #number => {
            if disabled & #mask != 0 {
                continue;
            }
            #[allow(unused_mut)]
            let mut output = match #polled {
                ::core::task::Poll::Ready(output) => output,
                ::core::task::Poll::Pending => {
                    pending = true;
                    continue;
                }
            };
            disabled |= #mask;
            let mut matches = false;
            // A guard looks without moving anything: the pattern is the handler's.
            #[allow(unused_variables, unused_mut, unreachable_code)]
            match output {
                #pattern if { matches = true; false } => ::core::unreachable!("the guard says no"),
                _ => {}
            }
            if matches {
                return ::core::task::Poll::Ready(__Select::#variant(output));
            }
        }
    }
}

/// Where an expression stands, for code whose errors are about it.
fn place_of(expression: &Expr) -> Span {
    Span::mixed_site().located_at(expression.span())
}
