//! What every method of a service takes.

use syn::{FnArg, ReceiverKind, Signature};

use crate::support::problems::Problems;

/// Whether a method takes `&self`; if not, that is said with this message.
pub(super) fn takes_self(signature: &Signature, message: &str, problems: &mut Problems) -> bool {
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            if let ReceiverKind::Reference(_, _, None) = receiver.kind {
                return true;
            }
            problems.at(receiver, message);
        }
        Some(other) => problems.at(other, message),
        None => problems.at(&signature.ident, message),
    }
    false
}
