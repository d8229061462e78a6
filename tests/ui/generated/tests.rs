//! Components, some of which their generated tests refuse.
#![deny(missing_docs, warnings, unnameable_test_items)]
#![forbid(unsafe_code)]

use tekton_sdk::{Component, Result, private::schemars, service};

/// Says of itself that it is an object, and is none.
#[derive(Debug)]
#[tekton_sdk::data]
#[schemars(transform = not_an_object)]
pub struct Impostor {
    /// A field.
    field: u8,
}

fn not_an_object(schema: &mut schemars::Schema) {
    schema.insert("properties".to_owned(), [1].as_slice().into());
}

macro_rules! component {
    ($name:ident, $answer:ty $(, $argument:tt)*) => {
        /// A component.
        #[derive(Component, Debug)]
        $(#[component $argument])*
        pub struct $name;

        #[service]
        impl $name {
            /// Asks.
            #[op(read)]
            pub async fn ask(&self) -> Result<Vec<$answer>> {
                Ok(Vec::new())
            }

            /// Asks for one.
            #[op(read)]
            pub async fn ask_for_one(&self) -> Result<$answer> {
                Err(tekton_sdk::Error::invalid("there is none"))
            }
        }
    };
}

component!(SoundOne, u8);
component!(Unsound, Impostor);
component!(Unwatched, Impostor, (test = false));

/// A generic component.
#[derive(Component, Debug)]
pub struct Generic<const N: u8>;

#[service]
impl<const N: u8> Generic<N> {
    /// Asks.
    #[op(read)]
    pub async fn ask(&self) -> Result<Impostor> {
        Ok(Impostor { field: N })
    }
}

fn main() {
    component!(Within, Impostor, (test = false));
    let _ = (Within, not_an_object);
}
