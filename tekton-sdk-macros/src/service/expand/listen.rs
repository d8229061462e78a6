//! The listeners: to what, how, and what each is called with.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::super::model::{Form, Group, Listener, Place, Service, Subject};
use crate::support::{self, types::Pass};

/// The function that adds them; nothing where there are none.
pub(super) fn expand(service: &Service) -> Option<TokenStream> {
    let Subject::Block { component, .. } = &service.subject else { return None };
    if service.listeners.is_empty() {
        return None;
    }
    let sdk = &service.sdk;
    let listeners = service.listeners.iter().map(|listener| {
        let (cfgs, listen) = (&listener.cfgs, listen(service, component, listener));
        quote! {
            #(#cfgs)*
            let listeners = #listen;
        }
    });
    Some(quote! {
        fn listen(component: &::std::sync::Arc<#component>, listeners: #sdk::host::Listeners) -> #sdk::host::Listeners {
            #(#listeners)*
            listeners
        }
    })
}

fn listen(service: &Service, component: &TokenStream, listener: &Listener) -> TokenStream {
    let (sdk, ident) = (&service.sdk, &listener.ident);
    let event = match listener.form {
        Form::Data(Pass::Borrowed, _) => quote!(&event),
        Form::Data(Pass::Inside, true) => quote!(event.as_deref()),
        Form::Data(Pass::Inside, false) => quote!(event.as_ref()),
        _ => quote!(event),
    };
    let (context, arguments) = match listener.context {
        None => (quote!(_), event),
        Some(Place::Before) => (quote!(context), quote!(&context, #event)),
        Some(Place::Behind) => (quote!(context), quote!(#event, &context)),
    };
    let call = quote!(<#component>::#ident(&component, #arguments).await);
    let handled = support::wrapped(quote!(#sdk::private::handled::<), &listener.output, quote!(>(#call)));
    let function = match listener.form {
        Form::Data(..) if listener.topics.is_empty() => quote!(listen_told),
        Form::Data(..) => quote!(listen_data),
        Form::Delivery => quote!(listen_delivery),
        Form::Heard => quote!(listen_heard),
    };
    let described = described(service, listener);
    let after =
        quote!(, _, _, _>(listeners, component, #described, |component, #context, event| async move { #handled }));
    support::wrapped(quote!(#sdk::private::#function::<), &listener.ty, after)
}

/// The listener as data.
fn described(service: &Service, listener: &Listener) -> TokenStream {
    let sdk = &service.sdk;
    let (name, topics) = (listener.ident.unraw().to_string(), &listener.topics);
    let topics = match topics.is_empty() {
        true => support::wrapped(quote!(#sdk::private::topics_of::<), &listener.ty, quote!(>())),
        false => quote!(&[#(#topics),*]),
    };
    let group = listener.group.as_ref().map(|group| match group {
        Group::Named(name) => quote!(.group(#name)),
        Group::Nobody => quote!(.every_instance()),
    });
    let acked = listener.is_unacked.then(|| quote!(.acked(false)));
    let dead_letters = listener.dead_letters.as_ref().map(|(topic, after)| quote!(.dead_letters(#topic, #after)));
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let concurrency = listener.concurrency.map(count).map(|calls| quote!(.concurrency(#calls)));
    let timeout = listener.nanoseconds.map(|length| quote!(.timeout(::std::time::Duration::from_nanos(#length))));
    let start = listener.is_from_oldest.then(|| quote!(.start(#sdk::patterns::events::Start::Oldest)));
    let when_full = listener.when_full.map(|policy| {
        let policy = format_ident!("{policy}");
        quote!(.when_full(#sdk::patterns::events::Backpressure::#policy))
    });
    let capacity = listener.capacity.map(count).map(|events| quote!(.capacity(#events)));
    quote! {
        #sdk::host::Listener::new(#name, #topics) #group #acked #dead_letters #concurrency #timeout #start #when_full #capacity
    }
}
