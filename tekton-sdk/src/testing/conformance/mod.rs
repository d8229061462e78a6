//! What every backend of a seam must do, as tests that anybody can run.
//!
//! Each law is a function whose name is a sentence; it panics where the law is broken. The list of laws stands once, in the
//! macro that makes one `#[test]` of each: [`broker_conformance!`](crate::broker_conformance),
//! [`directory_conformance!`](crate::directory_conformance), [`transport_conformance!`](crate::transport_conformance). A backend is held to what it declares; what it does not declare
//! must fail with a sentence.

pub mod broker;
pub mod directory;
pub mod transport;

/// Makes one test of each law: not for use by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __laws {
    ($suite:ident, $make:expr; $($law:ident)+) => {
        $(
            #[test]
            fn $law() {
                $crate::testing::block_on(async {
                    let subject = $make;
                    $crate::testing::conformance::$suite::$law(&subject).await;
                });
            }
        )+
    };
}
