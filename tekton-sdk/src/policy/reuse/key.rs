//! What makes two reads equal.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
};

use crate::{
    context::Context,
    policy::{AttemptLimit, fallback::StandsIn},
    transport::{Request, Safety},
};

/// The longest key. A request with more than this is never reused.
pub(super) const MAX_KEY_BYTES: usize = 64 * 1024;

/// How many headers are sorted without a list of their own.
const FEW: usize = 12;

/// The request's headers that are no part of a key. The pipeline writes the first four anew for each attempt, whatever the caller
/// sets, and no answer may depend on them. The last two are told to this stage, which does what they say.
///
/// Every other header is part of it: who asks (`Authorization`, `Cookie`, `X-Tekton-Caller`, `baggage`), which version is asked
/// (`X-API-Version`), and what the answer is to be like (`Accept`, `Accept-Language`, `Range`).
const LEFT_OUT: [&str; 6] =
    ["traceparent", "tracestate", "x-tekton-deadline-ms", "x-tekton-attempt", "cache-control", "pragma"];

/// Whether an answer may depend on a request's header that is no part of a key.
pub(super) fn leaves_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|left_out| left_out.eq_ignore_ascii_case(name))
}

/// All of a read that its answer may depend on, and of whom it is made for. Two keys are equal only if every byte is.
#[derive(PartialEq, Eq)]
pub(crate) struct Key {
    /// Made with a seed of the process: nobody outside can choose requests whose keys collide.
    hash: u64,
    bytes: Vec<u8>,
}

impl Key {
    /// The key of a request, unless it is none that can be reused: a write, an answer that is streamed, a body that is, more
    /// than 64 KiB, or values for the application's own policies, which may make anything of them.
    pub(super) fn of(request: &Request, hasher: &RandomState) -> Option<Self> {
        let call = &request.call;
        let cap = call.collect.filter(|_| call.safety == Safety::Read)?;
        let known = usize::from(call.extensions.get::<AttemptLimit>().is_some())
            + usize::from(call.extensions.get::<StandsIn>().is_some());
        if call.extensions.len() > known || request.body.is_stream() {
            return None;
        }
        let mut bytes = Bytes(Vec::with_capacity(512));
        bytes.part(call.target.as_bytes())?;
        bytes.part(request.method.as_str().as_bytes())?;
        bytes.part(request.path.as_bytes())?;
        bytes.option(request.query.as_ref().map(String::as_bytes))?;
        bytes.option(request.body.as_bytes().map(|body| &**body))?;
        // An answer that one caller's cap refuses is no answer for another.
        bytes.part(&cap.to_le_bytes())?;
        match &request.endpoint {
            // One authority may have components under several paths.
            Some(at) => [at.scheme(), at.authority(), at.base_path()]
                .iter()
                .try_for_each(|part| bytes.option(Some(part.as_bytes())))?,
            None => bytes.option(None)?,
        }
        who(&mut bytes)?;
        bytes.headers(request)?;
        let Bytes(bytes) = bytes;
        Some(Self { hash: hasher.hash_one(&*bytes), bytes })
    }

    /// The same, shared and without the room that was made for more.
    pub(crate) fn shared(mut self) -> Arc<Self> {
        self.bytes.shrink_to_fit();
        Arc::new(self)
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// On whose behalf the running operation works. It stands beside the headers, because a policy may make a header of it later.
fn who(bytes: &mut Bytes) -> Option<()> {
    let Some(context) = Context::current() else { return bytes.option(None) };
    bytes.option(Some(b"context"))?;
    bytes.option(context.caller().map(str::as_bytes))?;
    bytes.option(context.identity().map(|identity| identity.subject().as_bytes()))?;
    for scope in context.identity().iter().flat_map(|identity| identity.scopes()) {
        bytes.option(Some(scope.as_bytes()))?;
    }
    bytes.option(None)?;
    bytes.option(context.baggage().to_header().as_ref().map(http::HeaderValue::as_bytes))
}

/// Parts one behind the other, each behind its length, so that no two lists of parts look alike.
struct Bytes(Vec<u8>);

impl Bytes {
    fn part(&mut self, part: &[u8]) -> Option<()> {
        let len = u32::try_from(part.len()).ok()?;
        if self.0.len() + part.len() > MAX_KEY_BYTES {
            return None;
        }
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(part);
        Some(())
    }

    /// A part that may not be there, which is not the same as an empty one.
    fn option(&mut self, part: Option<&[u8]>) -> Option<()> {
        self.0.push(u8::from(part.is_some()));
        part.map_or(Some(()), |part| self.part(part))
    }

    /// The headers by name, the values of each name in their order.
    fn headers(&mut self, request: &Request) -> Option<()> {
        let named = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut named = named.filter(|(name, _)| !LEFT_OUT.contains(name));
        // Most requests have a few: those are sorted where they are.
        let mut few: [(&str, &[u8]); FEW] = [("", &[]); FEW];
        let count = few.iter_mut().zip(&mut named).map(|(place, header)| *place = header).count();
        let mut many: Vec<_> = Vec::new();
        let all = match named.next() {
            None => few.get_mut(..count)?,
            Some(next) => {
                many.extend(few.into_iter().chain([next]).chain(named));
                &mut many
            }
        };
        // Stable: the order of equal names has a meaning.
        all.sort_by_key(|(name, _)| *name);
        for (name, value) in &*all {
            self.part(name.as_bytes())?;
            self.part(value)?;
        }
        Some(())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for Key {
    /// Says how large it is, never what it holds: there are tokens in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.bytes.len())
    }
}

/// Hashes what is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hashed(u64);

impl BuildHasher for Hashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // No key comes here; what does is still told apart.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
