//! What the limits of a host cost a request that they let in, one by one and in a host.

use std::{
    cell::Cell,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use http::{HeaderValue, Method};
use tekton_sdk::{
    Component, Result, Tekton, async_trait,
    config::HostConfig,
    context::Identity,
    contract::{Descriptor, Operation},
    host::{Identify, Operations, RequestHead, Served},
    private::HostLimits,
    time::SharedClock,
    transport::{CallInfo, Endpoint, MemoryTransport, Request, Safety, Transport},
};
use tekton_sdk_benches::{Selection, Table, keep};

pub(crate) fn run(selection: &Selection) {
    clients(selection, 1000);
    clients(selection, 100_000);
    alone(selection);
    served(selection);
}

/// So much that nobody is refused.
const PLENTY: u32 = 1_000_000;

fn limits() -> HostLimits {
    HostLimits::new(PLENTY, PLENTY, SharedClock::default())
}

/// Another client each time, in an order that no cache foresees.
fn addresses(count: u32) -> impl Fn() -> IpAddr {
    let next = Cell::new(0_u32);
    move || {
        // The generator of Numerical Recipes: every number of 32 bits once.
        next.set(next.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let at = (u64::from(next.get()) * u64::from(count)) >> 32;
        IpAddr::V4(Ipv4Addr::from_bits(at as u32))
    }
}

fn known(count: u32) -> HostLimits {
    let (limits, now) = (limits(), SharedClock::default().now());
    (0..count).for_each(|n| keep(limits.rate(IpAddr::V4(Ipv4Addr::from_bits(n)), now)));
    assert_eq!(limits.known(), count as usize, "each is remembered");
    limits
}

#[cfg(feature = "peers")]
fn governors<'a>(table: Table<'a>, count: u32) -> Table<'a> {
    use governor::{Quota, RateLimiter};

    let quota = || Quota::per_second(PLENTY.try_into().expect("it is not zero"));
    let (mapped, hashed) = (RateLimiter::dashmap(quota()), RateLimiter::hashmap(quota()));
    for n in 0..count {
        let address = IpAddr::V4(Ipv4Addr::from_bits(n));
        keep((mapped.check_key(&address).is_ok(), hashed.check_key(&address).is_ok()));
    }
    let (next, other) = (addresses(count), addresses(count));
    table
        .case("governor, DashMap", move |operations| {
            for _ in 0..operations {
                keep(mapped.check_key(black_box(&next())).is_ok());
            }
        })
        .case("governor, HashMap", move |operations| {
            for _ in 0..operations {
                keep(hashed.check_key(black_box(&other())).is_ok());
            }
        })
}

fn clients(selection: &Selection, count: u32) {
    let title = format!("host: the rate of one of {count} clients");
    if !selection.takes(&title) {
        return;
    }
    let (limits, clock) = (known(count), SharedClock::default());
    let (next, other) = (addresses(count), addresses(count));
    let table = Table::new(title);
    #[cfg(feature = "peers")]
    let table = governors(table, count);
    table
        .case("tekton, at the moment that a request knows", |operations| {
            let now = clock.now();
            for _ in 0..operations {
                keep(limits.rate(black_box(next()), now));
            }
        })
        .case("tekton, with a reading of the clock each", |operations| {
            for _ in 0..operations {
                keep(limits.rate(black_box(other()), clock.now()));
            }
        })
        .run(selection);
}

fn alone(selection: &Selection) {
    let title = "host: one limit, taken and given back";
    if !selection.takes(title) {
        return;
    }
    let limits = known(1000);
    let semaphore = Arc::new(tokio::sync::Semaphore::new(1024));
    let clock = SharedClock::default();
    let (next, other) = (addresses(1000), addresses(1000));
    Table::new(title)
        .case("limit: a permit of tokio's semaphore", |operations| {
            for _ in 0..operations {
                keep(Arc::clone(&semaphore).try_acquire_owned());
            }
        })
        .case("tekton, a place", |operations| {
            for _ in 0..operations {
                keep(limits.place());
            }
        })
        .case("tekton, a client's share of what runs at once", |operations| {
            for _ in 0..operations {
                keep(limits.seat(next()));
            }
        })
        .case("tekton, the rate of one of 1,000 clients", |operations| {
            let now = clock.now();
            for _ in 0..operations {
                keep(limits.rate(other(), now));
            }
        })
        .case("limit: a reading of the clock", |operations| {
            for _ in 0..operations {
                keep(clock.now());
            }
        })
        .run(selection);
}

struct Desk;

impl Component for Desk {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("desk", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        const PING: Operation = Operation::read("ping", "Ends at once.");
        Operations::new().on(&self, PING, |_, _, _| async { Ok(1) })
    }
}

#[derive(Debug)]
struct Always(Identity);

#[async_trait]
impl Identify for Always {
    async fn identify(&self, _head: &RequestHead<'_>) -> Result<Option<Identity>> {
        Ok(Some(self.0.clone()))
    }
}

async fn start(transport: &MemoryTransport, instance: &str, config: HostConfig, identified: bool) -> Served {
    let tekton = Tekton::builder().build().expect("the defaults are valid");
    let serve = Desk.serve(&tekton).with_config(config).in_memory(transport).instance(instance);
    let serve = if identified { serve.identify(Always(Identity::new("reader"))) } else { serve };
    serve.start().await.expect("it starts")
}

/// A request within the process, through everything that a host does.
fn served(selection: &Selection) {
    let title = "host: a request in memory";
    if !selection.takes(title) {
        return;
    }
    let runtime = &crate::request::runtime();
    let transport = &MemoryTransport::new();
    let plain = HostConfig::default;
    let rate = || plain().with_client_rate_per_second(Some(PLENTY));
    let both = || rate().with_client_max_concurrency(Some(PLENTY));
    let hosts = [
        ("off", plain(), false),
        ("rate", rate(), false),
        ("both", both(), false),
        ("proxy", both().with_trusted_proxies(["unix"]), false),
        ("identity", both(), true),
    ];
    let _served: Vec<_> = hosts
        .into_iter()
        .map(|(instance, config, identified)| runtime.block_on(start(transport, instance, config, identified)))
        .collect();
    let case = |instance: &str, forwarded: bool| {
        let endpoint = Endpoint::parse(&format!("memory://desk-{instance}")).expect("it is an endpoint");
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    let call = CallInfo::new("desk", "ping", Safety::Read);
                    let mut request = Request::new(Method::POST, "/api/v1/ping", call).with_endpoint(endpoint.clone());
                    if forwarded {
                        let value = HeaderValue::from_static("198.51.100.7, 192.0.2.1");
                        request.headers.insert("x-forwarded-for", value);
                    }
                    keep(transport.send(request).await.expect("it is served"));
                }
            });
        }
    };
    Table::new(title)
        .case("without limits of clients", case("off", false))
        .case("with a rate", case("rate", false))
        .case("and a share of what runs at once", case("both", false))
        .case("both, behind a trusted proxy", case("proxy", true))
        .case("both, of an identity", case("identity", false))
        .run(selection);
}
