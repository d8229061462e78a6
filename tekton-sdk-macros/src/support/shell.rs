//! The structs that blocks add operations to: a client, a fake.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Generics, Ident, Path};

/// One of them.
pub(crate) struct Shell<'a> {
    pub(crate) sdk: &'a Path,
    pub(crate) visibility: &'a TokenStream,
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// What it calls, or stands in for.
    pub(crate) of: &'a TokenStream,
    pub(crate) docs: &'a str,
}

impl Shell<'_> {
    /// A client that is found by this name, or by this query.
    pub(crate) fn client(&self, name: &TokenStream, query: Option<TokenStream>) -> TokenStream {
        let Self { sdk, visibility, ident, generics, of, docs } = self;
        let (parameters, arguments, bounds) = generics.split_for_impl();
        let (quiet, text) = (super::quiet(), ident.to_string());
        let query = query.map(|query| quote!(fn query() -> #sdk::directory::Query { #query }));
        quote! {
            #[doc = #docs]
            #quiet
            #visibility struct #ident #generics (#sdk::private::PeerOf<#of>) #bounds;

            #quiet
            impl #parameters #ident #arguments #bounds {
                /// The same client, whose calls have these options.
                #visibility fn with(&self, options: #sdk::CallOptions) -> Self {
                    Self(self.0.with(options))
                }
            }

            #[automatically_derived]
            impl #parameters ::std::clone::Clone for #ident #arguments #bounds {
                fn clone(&self) -> Self {
                    Self(::std::clone::Clone::clone(&self.0))
                }
            }
            #[automatically_derived]
            impl #parameters ::std::fmt::Debug for #ident #arguments #bounds {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.debug_tuple(#text).field(&self.0).finish()
                }
            }
            #[automatically_derived]
            impl #parameters ::std::convert::AsRef<#sdk::Peer> for #ident #arguments #bounds {
                fn as_ref(&self) -> &#sdk::Peer {
                    self.0.peer()
                }
            }
            #[automatically_derived]
            impl #parameters #sdk::Client for #ident #arguments #bounds {
                const NAME: &'static str = #name;
                #query
                fn from_peer(peer: #sdk::Peer) -> Self {
                    Self(#sdk::private::PeerOf::new(peer))
                }
            }
        }
    }

    /// A fake, where there is a testing kit.
    pub(crate) fn fake(&self) -> TokenStream {
        let Self { sdk, visibility, ident, generics, of, docs } = self;
        let (parameters, arguments, bounds) = generics.split_for_impl();
        let (quiet, text) = (super::quiet(), ident.to_string());
        quote! {
            #sdk::private::when_testing! {
                #[doc = #docs]
                #quiet
                #visibility struct #ident #generics (
                    #sdk::testing::Plans,
                    ::std::marker::PhantomData<fn() -> ::std::boxed::Box<#of>>,
                ) #bounds;

                #quiet
                impl #parameters #ident #arguments #bounds {
                    /// A fake that nothing is planned for.
                    #visibility fn new() -> Self {
                        Self(::std::default::Default::default(), ::std::marker::PhantomData)
                    }

                    /// The same fake, whose calls are recorded with these options.
                    #visibility fn with(&self, options: #sdk::CallOptions) -> Self {
                        Self(self.0.with(options), ::std::marker::PhantomData)
                    }

                    /// The calls that it gets, for the test to look at.
                    #visibility fn calls(&self) -> #sdk::testing::Calls {
                        self.0.calls()
                    }
                }
                #[automatically_derived]
                impl #parameters ::std::default::Default for #ident #arguments #bounds {
                    fn default() -> Self {
                        Self::new()
                    }
                }
                #[automatically_derived]
                impl #parameters ::std::fmt::Debug for #ident #arguments #bounds {
                    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.debug_tuple(#text).field(&self.0).finish()
                    }
                }
            }
        }
    }
}
