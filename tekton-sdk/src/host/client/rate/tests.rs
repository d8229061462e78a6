use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::{
    host::client::{MAX_CLIENTS, key::Keys},
    time::{Clock, ManualClock},
};

const SECOND: Duration = Duration::from_secs(1);

/// A limiter with a clock and keys of its own.
struct Timed(Rate, ManualClock, Keys);

impl Timed {
    fn take(&self, client: u32) -> Result<(), Duration> {
        self.0.take(self.2.of_address(Some(IpAddr::from(client.to_be_bytes()))), self.1.now())
    }

    fn known(&self) -> usize {
        self.0.known()
    }
}

fn rate(per_second: u32, burst: u32, max_clients: usize) -> (Timed, ManualClock) {
    let clock = ManualClock::new();
    clock.advance(SECOND);
    let rate = Rate::new(per_second, burst, max_clients, clock.now());
    (Timed(rate, clock.clone(), Keys::default()), clock)
}

#[test]
fn a_burst_is_let_in_and_then_the_rate() {
    let (rate, clock) = rate(10, 3, 100);
    assert_eq!((0..5).map(|_| rate.take(1).is_ok()).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert_eq!(rate.take(1), Err(SECOND / 10));
    assert_eq!(rate.take(2), Ok(()), "each client has its own");
    clock.advance(SECOND / 20);
    assert_eq!(rate.take(1), Err(SECOND / 20));
    clock.advance(SECOND / 20);
    assert_eq!((rate.take(1), rate.take(1)), (Ok(()), Err(SECOND / 10)));
    clock.advance(60 * SECOND);
    assert_eq!((0..5).filter(|_| rate.take(1).is_ok()).count(), 3, "no more than a burst is saved up");
}

#[test]
fn a_hundred_thousand_clients_are_remembered_each_for_itself() {
    let (rate, _) = rate(1, 1, MAX_CLIENTS);
    assert!((0..100_000).all(|n| rate.take(n).is_ok()));
    assert_eq!(rate.known(), 100_000);
    assert!((0..100_000).all(|n| rate.take(n).is_err()));
    assert_eq!(rate.known(), 100_000);
}

#[test]
fn a_flood_of_addresses_neither_grows_nor_frees_anybody() {
    let (rate, clock) = rate(1, 1, 1024);
    let throttled = u32::MAX;
    let mut let_in = 0;
    rate.take(throttled).unwrap();
    for n in 0..300_000 {
        let_in += u32::from(rate.take(n).is_ok());
        assert!(rate.take(throttled).is_err(), "nobody is forgotten who owes something");
    }
    assert!(rate.known() <= 1024);
    // One for each that found room, and one for all the others together.
    assert!(let_in <= 1024, "{let_in}");
    for n in 300_000..301_000 {
        clock.advance(SECOND);
        assert_eq!(rate.take(n), Ok(()), "who owes nothing makes room");
    }
    assert!(rate.known() <= 1024);
}

proptest! {
    /// Who is counted with the others beyond the cap, and finds room then, has a share of both limits.
    #[test]
    fn no_client_gets_more_than_its_rate(
        steps in prop::collection::vec((0_u32..40, 0_u64..400), 0..400),
        (per_second, burst) in (1_u32..20, 1_u32..5),
        max_clients in 1_usize..60,
    ) {
        let (rate, clock) = rate(per_second, burst, max_clients);
        let shares = if max_clients < 40 { 2.0 } else { 1.0 };
        let mut passed = Duration::ZERO;
        let mut let_in: std::collections::HashMap<u32, Vec<Duration>> = std::collections::HashMap::new();
        for (client, millis) in steps {
            clock.advance(Duration::from_millis(millis));
            passed += Duration::from_millis(millis);
            match rate.take(client) {
                Ok(()) => let_in.entry(client).or_default().push(passed),
                Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= SECOND),
            }
            prop_assert!(rate.known() <= max_clients);
        }
        for times in let_in.values() {
            for (from, first) in times.iter().enumerate() {
                for (count, last) in (1_u32..).zip(&times[from..]) {
                    let allowed = f64::from(burst) + (*last - *first).as_secs_f64() * f64::from(per_second);
                    prop_assert!(f64::from(count) <= shares * allowed + 1e-6, "{count} in {:?}", *last - *first);
                }
            }
        }
    }
}
