//! `#[data]`: derives what a value on the wire needs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Item, LitStr, Path, Result, Token, parse::Parse, parse::ParseStream, parse2};

use crate::support;

/// The attribute and, in any case, the item itself: editors keep working while there is an error.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match model(arguments, item.clone()) {
        Ok(derives) => quote!(#derives #item),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn model(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Arguments { sdk } = parse2(arguments)?;
    match parse2(item)? {
        Item::Struct(_) | Item::Enum(_) => {}
        other => return Err(Error::new_spanned(other, "`data` goes on a struct or an enum")),
    }
    let private = quote!(#sdk::private);
    let serde = text(&quote!(#private::serde));
    let schemars = text(&quote!(#private::schemars));
    Ok(quote! {
        #[derive(#private::serde::Serialize, #private::serde::Deserialize, #private::schemars::JsonSchema)]
        #[serde(crate = #serde)]
        #[schemars(crate = #schemars)]
    })
}

/// A path as serde's and schemars' attributes want it.
fn text(path: &TokenStream) -> String {
    path.to_string().replace(' ', "")
}

struct Arguments {
    sdk: TokenStream,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Ok(Self { sdk: support::sdk().into_token_stream() });
        }
        if !input.peek(Token![crate]) {
            return Err(input.error("the only argument is `crate = \"path::to::tekton_sdk\"`"));
        }
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        let path = input.parse::<LitStr>()?.parse::<Path>()?;
        if !input.is_empty() {
            return Err(input.error("the only argument is `crate = \"path::to::tekton_sdk\"`"));
        }
        Ok(Self { sdk: path.into_token_stream() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item).to_string().replace(' ', "")
    }

    #[test]
    fn a_struct_gets_its_derives_from_the_named_path() {
        let code = expanded(
            quote!(crate = "mesh::sdk"),
            quote!(
                struct A {
                    b: u8,
                }
            ),
        );
        assert!(code.starts_with("#[derive(mesh::sdk::private::serde::Serialize,"), "{code}");
        assert!(code.contains(r#"#[serde(crate="mesh::sdk::private::serde")]"#), "{code}");
        assert!(code.ends_with("structA{b:u8,}"), "{code}");
    }

    #[test]
    fn anything_else_is_refused_and_kept() {
        let code = expanded(
            quote!(),
            quote!(
                fn f() {}
            ),
        );
        assert!(code.contains("goesonastructoranenum") && code.ends_with("fnf(){}"), "{code}");
        let code = expanded(
            quote!(name = "x"),
            quote!(
                struct A;
            ),
        );
        assert!(code.contains("theonlyargumentis"), "{code}");
    }
}
