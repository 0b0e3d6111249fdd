//! The macros of the event loop interface. Use them through the package `solipsism-event-loop`, as
//! `event_loop::select!`.

mod branches;
mod expand;

use proc_macro::TokenStream;

/// What `event_loop::select!` expands to: its first token is the `$crate` of that one.
#[doc(hidden)]
#[proc_macro]
pub fn select(tokens: TokenStream) -> TokenStream {
    match syn::parse::<branches::Select>(tokens) {
        Ok(select) => expand::select(&select),
        Err(error) => error.into_compile_error(),
    }
    .into()
}
