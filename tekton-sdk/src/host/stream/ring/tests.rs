//! The ring against a list that forgets nothing.

use proptest::prelude::*;

use super::*;

/// All that was ever pushed, and how far it was read.
#[derive(Default)]
struct Model {
    all: Vec<Bytes>,
    read: u64,
}

#[derive(Clone, Debug)]
enum Step {
    /// An event of so many bytes, whether or not there is room.
    Push(usize),
    /// The same, if there is room.
    PushIfRoom(usize),
    Read,
    Seek(u64),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..40).prop_map(Step::Push),
        3 => (0_usize..40).prop_map(Step::PushIfRoom),
        4 => Just(Step::Read),
        1 => (0_u64..60).prop_map(Step::Seek),
        1 => Just(Step::End),
    ]
}

/// Tells events apart by their first byte, if they have one.
fn event(number: usize, bytes: usize) -> Bytes {
    vec![u8::try_from(number % 251).unwrap(); bytes].into()
}

proptest! {
    #[test]
    fn it_keeps_the_newest_within_its_bounds_and_says_what_is_missing(
        max_events in 1_usize..8,
        max_bytes in 0_usize..60,
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut ring = Ring::new(max_events, max_bytes);
        let mut model = Model::default();
        let mut ended = false;
        for step in steps {
            match step {
                Step::Push(bytes) => {
                    let event = event(model.all.len(), bytes);
                    let pushed = ring.push(event.clone());
                    prop_assert_eq!(pushed, bytes <= max_bytes && !ended);
                    if pushed {
                        model.all.push(event);
                    }
                }
                Step::PushIfRoom(bytes) if ring.has_room(bytes) && !ended => {
                    let kept = ring.first;
                    let event = event(model.all.len(), bytes);
                    prop_assert!(ring.push(event.clone()));
                    model.all.push(event);
                    // Whatever fell out had been read, or had been missing before.
                    prop_assert!(ring.first == kept || ring.first <= model.read + 1);
                }
                Step::PushIfRoom(_) => {}
                Step::Read => match ring.next() {
                    Next::Event(event) => {
                        let wanted = model.all.get(usize::try_from(model.read).unwrap());
                        prop_assert_eq!(wanted, Some(&event));
                        model.read += 1;
                    }
                    Next::Gap { from, to } => {
                        prop_assert_eq!(from, model.read + 1);
                        prop_assert!(to >= from && to < ring.first);
                        model.read = to;
                    }
                    Next::Nothing => prop_assert!(!ended && model.read == model.all.len() as u64),
                    Next::End => prop_assert!(ended && model.read == model.all.len() as u64),
                },
                Step::Seek(read) => {
                    let there = read <= model.all.len() as u64;
                    prop_assert_eq!(ring.seek(read), there);
                    if there {
                        model.read = read;
                    }
                }
                Step::End => {
                    ring.end(Bytes::from_static(b"end"));
                    if !ended {
                        model.all.push(Bytes::from_static(b"end"));
                    }
                    ended = true;
                }
            }
            prop_assert!(ring.events.len() <= max_events && ring.bytes <= max_bytes);
            prop_assert_eq!(ring.bytes, ring.events.iter().map(Bytes::len).sum::<usize>());
            prop_assert_eq!(ring.upcoming(), model.all.len() as u64 + 1);
            // As much is kept as may be: the newest that had to go would not have fitted.
            let unread = usize::try_from(model.all.len() as u64 - model.read).unwrap() - usize::from(ended && model.read < model.all.len() as u64);
            let unread = unread.min(ring.events.len());
            let unread_bytes: usize = ring.events.iter().rev().take(unread).map(Bytes::len).sum();
            prop_assert_eq!(ring.has_room(0), unread < max_events);
            prop_assert_eq!(ring.unread_bytes, unread_bytes);
        }
    }
}

#[test]
fn what_fell_out_is_a_gap_before_what_follows() {
    let mut ring = Ring::new(2, 100);
    for at in 0..5 {
        assert!(ring.push(event(at, 1)));
    }
    assert_eq!(ring.next(), Next::Gap { from: 1, to: 3 });
    assert_eq!(ring.next(), Next::Event(event(3, 1)));
    assert_eq!(ring.next(), Next::Event(event(4, 1)));
    assert_eq!(ring.next(), Next::Nothing);
    ring.end(event(5, 1));
    assert_eq!(ring.next(), Next::Event(event(5, 1)));
    assert_eq!(ring.next(), Next::End);
    assert!(ring.seek(5) && !ring.seek(7));
    assert_eq!(ring.next(), Next::Event(event(5, 1)));
}

#[test]
fn an_event_that_can_never_fit_is_refused_and_nothing_falls_out_for_it() {
    let mut ring = Ring::new(10, 4);
    assert!(ring.push(event(0, 4)));
    assert!(!ring.push(event(1, 5)));
    assert_eq!(ring.next(), Next::Event(event(0, 4)));
    ring.end(event(1, 50));
    assert_eq!(ring.next(), Next::Event(event(1, 50)));
}
