//! What a resumable stream is bound to.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::{context::Identity, transport::Inbound, wire::headers};

/// A caller and a request of it, as hashes: only the same caller with the same request is attached to a stream.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) caller: Hash,
    pub(super) request: Hash,
}

#[derive(Clone, Copy)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// Whether it is the same, in the same time whatever differs.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// Each part with its length before it, so that no two lists of parts look alike.
    fn of<'a>(parts: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            match part {
                None => hash.update([0]),
                Some(part) => {
                    hash.update([1]);
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
            }
        }
        Self(hash.finalize().into())
    }

    /// Who calls: whom the proof names, and what the caller calls itself.
    pub(super) fn of_caller(identity: Option<&Identity>, request: &Inbound) -> Self {
        let label = request.headers.get(&headers::CALLER).map(|label| label.as_bytes());
        Self::of([identity.map(|identity| identity.subject().as_bytes()), label])
    }

    /// What is asked: method, version, operation and arguments, byte by byte.
    pub(super) fn of_request(request: &Inbound, body: &[u8]) -> Self {
        let (method, path) = (request.method.as_str().as_bytes(), request.path.as_bytes());
        Self::of([Some(method), Some(path), request.query.as_deref().map(str::as_bytes), Some(body)])
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    fn same(a: Hash, b: Hash) -> bool {
        a.is(&b).into()
    }

    #[test]
    fn each_part_of_a_request_and_of_its_caller_counts() {
        let request = |method: Method, path: &str, query: Option<&str>| Inbound {
            query: query.map(str::to_owned),
            ..Inbound::new(method, path)
        };
        let all = [
            Hash::of_request(&request(Method::POST, "/api/v1/a", None), b""),
            Hash::of_request(&request(Method::GET, "/api/v1/a", None), b""),
            Hash::of_request(&request(Method::POST, "/api/v1/b", None), b""),
            Hash::of_request(&request(Method::POST, "/api/v1/a", Some("")), b""),
            Hash::of_request(&request(Method::POST, "/api/v1/a", Some("x")), b""),
            Hash::of_request(&request(Method::POST, "/api/v1/a", None), b"x"),
            Hash::of_request(&request(Method::POST, "/api/v1/", None), b"a"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(same(*one, *one) && !all[..at].iter().any(|other| same(*one, *other)), "{at}");
        }
        let labelled = |label: &'static str| {
            let mut inbound = request(Method::GET, "/", None);
            inbound.headers.insert(headers::CALLER, HeaderValue::from_static(label));
            inbound
        };
        let (nobody, ada) = (request(Method::GET, "/", None), Identity::new("ada"));
        let callers = [
            Hash::of_caller(None, &nobody),
            Hash::of_caller(Some(&ada), &nobody),
            Hash::of_caller(None, &labelled("ada")),
            Hash::of_caller(Some(&ada), &labelled("ada")),
            Hash::of_caller(Some(&Identity::new("bob")), &labelled("ada")),
        ];
        for (at, one) in callers.iter().enumerate() {
            assert!(same(*one, *one) && !callers[..at].iter().any(|other| same(*one, *other)), "{at}");
        }
    }
}
