//! The test function that is made of an `async fn`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, FnArg, Result, ReturnType, Safety, Signature, Token, Type, Visibility,
};

use crate::args::{self, Setting};

/// Expands `#[sim::test(args)] item`.
pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    let (settings, mut errors) = args::parse(args);
    match syn::parse2::<TestFn>(item.clone()) {
        Ok(mut test) => {
            let fit = test.check().map_err(|error| args::join(&mut errors, error));
            // What can be expanded is, beside the errors: the rest of the function is then
            // checked too, and its names are known to editors.
            let expanded = match fit {
                Ok(()) => test.expand(&settings),
                Err(()) => test.unchanged(),
            };
            let errors = errors.map(Error::into_compile_error);
            quote!(#errors #expanded)
        }
        Err(error) => {
            args::join(&mut errors, error);
            let errors = errors.map(Error::into_compile_error);
            quote!(#errors #item)
        }
    }
}

/// A function whose body is left as it is: what the compiler understands need not be understood
/// here.
struct TestFn {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    body: Group,
}

impl Parse for TestFn {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let starts_a_function = input.peek(Token![fn])
            || input.peek(Token![async])
            || input.peek(Token![unsafe])
            || input.peek(Token![extern])
            || (input.peek(Token![const]) && !input.peek2(syn::Ident));
        if !starts_a_function {
            return Err(input.error("`#[sim::test]` belongs on an `async fn`"));
        }
        let sig = input.parse()?;
        let body = match input.parse()? {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => body,
            other => return Err(Error::new_spanned(other, "a test needs a body")),
        };
        Ok(Self {
            attrs,
            vis,
            sig,
            body,
        })
    }
}

impl TestFn {
    /// Every reason why the function cannot be a test. One that is only not `async` is made so,
    /// lest each of its awaits be an error too.
    fn check(&mut self) -> Result<()> {
        let sig = &mut self.sig;
        let mut errors = None;
        let mut wrong = |tokens: &dyn ToTokens, text: &str| {
            args::join(&mut errors, Error::new_spanned(tokens, text));
        };
        if sig.asyncness.is_none() {
            wrong(&sig.fn_token, "a `#[sim::test]` function must be `async`");
            sig.asyncness = Some(Token![async](sig.fn_token.span));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            wrong(token, "a `#[sim::test]` function must not be `unsafe`");
        }
        if let Some(abi) = &sig.abi {
            wrong(abi, "a `#[sim::test]` function must not have an ABI");
        }
        if !sig.generics.params.is_empty() {
            let text = "a `#[sim::test]` function must not be generic: \
                        nothing says which type to run it with";
            wrong(&sig.generics, text);
        }
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(receiver) => {
                    let text = "a `#[sim::test]` function must not take `self`: \
                                each argument is an extractor";
                    wrong(receiver, text);
                }
                FnArg::Typed(input) => {
                    if let Type::ImplTrait(ty) = &*input.ty {
                        let text = "a `#[sim::test]` function must not be generic: \
                                    name the extractor's type";
                        wrong(ty, text);
                    }
                    for attr in input.attrs.iter().filter(|attr| is_named(attr, "cfg")) {
                        let text = "an argument of a `#[sim::test]` function cannot be left out: \
                                    put `cfg` on the function";
                        wrong(attr, text);
                    }
                }
            }
        }
        for attr in self.attrs.iter().filter(|attr| is_named(attr, "test")) {
            let text = "a second test attribute: `#[sim::test]` makes the function a test already";
            wrong(attr, text);
        }
        errors.map_or(Ok(()), Err)
    }

    fn expand(&self, settings: &[Setting]) -> TokenStream {
        let Self {
            attrs,
            vis,
            sig,
            body,
        } = self;
        let name = &sig.ident;
        let names = settings.iter().map(|setting| &setting.name);
        let values = settings.iter().map(|setting| &setting.value);
        // Not in the function's scope: a type among the arguments cannot mean this name.
        let sim = Ident::new("sim", Span::mixed_site());
        let extractors = sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(input) => Some(&input.ty),
            FnArg::Receiver(_) => None,
        });
        // `line!()` answers with the line of the span it is called with.
        let line = quote_spanned!(name.span()=> ::core::line!());
        let arguments = quote! {
            ::sim::__private::TestCase {
                name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
                file: ::core::file!(),
                line: #line,
                package: ::core::option_env!("CARGO_PKG_NAME"),
                bin: ::core::option_env!("CARGO_BIN_NAME"),
            },
            ::sim::Config::new() #(.#names(#values))*,
            |#sim: ::sim::Sim| async move {
                #name(#(<#extractors as ::sim::FromWorld>::from_world(&#sim)),*).await
            },
        };
        // The call is where the output's type is, so that one that is no outcome is an error there.
        let output = match &sig.output {
            ReturnType::Type(_, ty) => ty.span(),
            ReturnType::Default => name.span(),
        };
        let run = quote_spanned!(output=> ::sim::__private::run_test(#arguments));
        quote! {
            #[::core::prelude::v1::test]
            #(#attrs)*
            #vis fn #name() {
                #[allow(clippy::unused_async)] // `async` is asked for here, awaits are not
                #sig #body
                #run;
            }
        }
    }

    /// The function as it was written, no test.
    fn unchanged(&self) -> TokenStream {
        let Self {
            attrs,
            vis,
            sig,
            body,
        } = self;
        let attrs = attrs.iter().filter(|attr| !is_named(attr, "test"));
        quote! {
            #[allow(dead_code)]
            #(#attrs)*
            #vis #sig #body
        }
    }
}

/// Whether an attribute's path ends so.
fn is_named(attr: &Attribute, name: &str) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn expanded(args: TokenStream, item: TokenStream) -> String {
        prettyplease::unparse(&syn::parse2(test(args, item)).unwrap())
    }

    #[test]
    fn a_test_runs_its_function_with_its_settings_and_extractors() {
        let args = quote!(seeds = 1_000, time_limit = "1.5 s", profile = "tokio-ct");
        let item = quote! {
            /// What is promised.
            #[should_panic(expected = "lost")]
            pub(crate) async fn nothing_is_lost(mut sim: Sim, Pair(a, b): Pair) -> Result<(), Lost> {
                a.send(b).await
            }
        };
        assert_snapshot!(expanded(args, item), @r##"
        #[::core::prelude::v1::test]
        /// What is promised.
        #[should_panic(expected = "lost")]
        pub(crate) fn nothing_is_lost() {
            #[allow(clippy::unused_async)]
            async fn nothing_is_lost(mut sim: Sim, Pair(a, b): Pair) -> Result<(), Lost> {
                a.send(b).await
            }
            ::sim::__private::run_test(
                ::sim::__private::TestCase {
                    name: ::core::concat!(
                        ::core::module_path!(), "::", ::core::stringify!(nothing_is_lost)
                    ),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    package: ::core::option_env!("CARGO_PKG_NAME"),
                    bin: ::core::option_env!("CARGO_BIN_NAME"),
                },
                ::sim::Config::new()
                    .seeds(1_000)
                    .time_limit(::core::time::Duration::new(1u64, 500000000u32))
                    .profile(::sim::Profile::TokioCt),
                |sim: ::sim::Sim| async move {
                    nothing_is_lost(
                            <Sim as ::sim::FromWorld>::from_world(&sim),
                            <Pair as ::sim::FromWorld>::from_world(&sim),
                        )
                        .await
                },
            );
        }
        "##);
    }

    #[test]
    fn a_function_without_anything_has_the_default_config() {
        let item = quote!(
            async fn idle() {}
        );
        assert_snapshot!(expanded(TokenStream::new(), item), @r##"
        #[::core::prelude::v1::test]
        fn idle() {
            #[allow(clippy::unused_async)]
            async fn idle() {}
            ::sim::__private::run_test(
                ::sim::__private::TestCase {
                    name: ::core::concat!(
                        ::core::module_path!(), "::", ::core::stringify!(idle)
                    ),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    package: ::core::option_env!("CARGO_PKG_NAME"),
                    bin: ::core::option_env!("CARGO_BIN_NAME"),
                },
                ::sim::Config::new(),
                |sim: ::sim::Sim| async move { idle().await },
            );
        }
        "##);
    }

    #[test]
    fn an_error_leaves_a_function_that_can_be_checked() {
        let item = quote! {
            #[test]
            fn by_type<T: FromWorld>(value: T) {}
        };
        assert_snapshot!(expanded(quote!(seeds = 0), item), @r##"
        ::core::compile_error! {
            "`seeds` must be an integer literal from 1, not `0`"
        }
        ::core::compile_error! {
            "a `#[sim::test]` function must be `async`"
        }
        ::core::compile_error! {
            "a `#[sim::test]` function must not be generic: nothing says which type to run it with"
        }
        ::core::compile_error! {
            "a second test attribute: `#[sim::test]` makes the function a test already"
        }
        #[allow(dead_code)]
        async fn by_type<T: FromWorld>(value: T) {}
        "##);
    }
}
