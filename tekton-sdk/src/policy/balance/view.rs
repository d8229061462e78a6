//! Who of several instances is called, and whether the ejections of some are ignored.

use super::machine::Moment;

/// What is known of one instance: until when it is ejected and doubted, 0 for not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ejected_since: Moment,
    pub(super) ejected_until: Moment,
    pub(super) doubted_until: Moment,
}

/// Places of members, in their order, in parts of which each belongs to one weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) places: Vec<u32>,
    /// Where each part ends.
    pub(super) ends: Vec<usize>,
}

impl Lot {
    /// Those whose place fits, parted where the members are.
    pub(super) fn of(parts: &[usize], fits: impl Fn(usize) -> bool) -> Self {
        let mut lot = Self::default();
        let mut start = 0;
        for &end in parts {
            let places = (start..end).filter(|place| fits(*place));
            lot.places.extend(places.filter_map(|place| u32::try_from(place).ok()));
            lot.ends.push(lot.places.len());
            start = end;
        }
        lot
    }

    /// The places of one part.
    pub(super) fn part(&self, part: usize) -> &[u32] {
        let start = part.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(part).and_then(|end| self.places.get(start..*end)).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn has(&self, place: u32) -> bool {
        self.places.binary_search(&place).is_ok()
    }
}

/// Who is called at this moment.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Those that are called.
    pub(super) eligible: Lot,
    /// Those that are ejected but could be reached: called when nobody is eligible.
    pub(super) spare: Lot,
    /// How many are kept out by their ejection.
    pub(super) out: usize,
    /// How many are not ejected, or would not be if there were room.
    pub(super) well: usize,
    pub(super) panic: bool,
    /// When it must be looked at again.
    pub(super) until: Moment,
    /// Of which state of all instances it is.
    pub(super) of_change: u64,
}

/// How many of so many may be kept out: one of several at least, all but one at most.
pub(super) fn room(members: usize, percent: u32) -> usize {
    if percent == 0 {
        return 0;
    }
    let share = members.saturating_mul(percent as usize) / 100;
    share.max(1).min(members.saturating_sub(1))
}

/// Looks at all members; `parts` says where each part of them ends.
///
/// An ejection takes effect where the limit has room for it, the earliest first. Where fewer are well than the threshold asks
/// for, none does.
pub(super) fn view(seen: &[Seen], parts: &[usize], now: Moment, max_ejected_percent: u32, panic_percent: u32) -> View {
    let is_ejected = |seen: &Seen| seen.ejected_until > now;
    let is_doubted = |seen: &Seen| seen.doubted_until > now;
    let mut ejected: Vec<(Moment, usize)> = Vec::new();
    let mut until = Moment::MAX;
    for (place, seen) in seen.iter().enumerate() {
        if is_ejected(seen) {
            ejected.push((seen.ejected_since, place));
            until = until.min(seen.ejected_until);
        }
        if is_doubted(seen) {
            until = until.min(seen.doubted_until);
        }
    }
    let well = seen.len() - ejected.len();
    let panic = seen.len() > 1 && well.saturating_mul(100) < (panic_percent as usize).saturating_mul(seen.len());
    let room = if panic { 0 } else { room(seen.len(), max_ejected_percent) };
    ejected.sort_unstable();
    let mut out: Vec<usize> = ejected.into_iter().take(room).map(|(_, place)| place).collect();
    out.sort_unstable();
    let is_out = |place: usize| out.binary_search(&place).is_ok();
    let reachable = |place: usize| seen.get(place).is_some_and(|seen| !is_doubted(seen));
    View {
        eligible: Lot::of(parts, |place| reachable(place) && !is_out(place)),
        spare: Lot::of(parts, |place| reachable(place) && is_out(place)),
        out: out.len(),
        well,
        panic,
        until,
        of_change: 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = 1_000;

    fn ejected(since: Moment) -> Seen {
        Seen { ejected_since: since, ejected_until: NOW + 10, doubted_until: 0 }
    }

    fn doubted() -> Seen {
        Seen { doubted_until: NOW + 5, ..Seen::default() }
    }

    fn of(seen: &[Seen]) -> View {
        view(seen, &[seen.len()], NOW, 50, 50)
    }

    #[test]
    fn the_limit_lets_the_later_ones_in_and_the_threshold_all() {
        let well = Seen::default();
        let one = of(&[well, ejected(3), well, well]);
        assert_eq!((one.eligible.places, one.out, one.panic), (vec![0, 2, 3], 1, false));
        let limited = view(&[ejected(9), ejected(3), well, well, well], &[5], NOW, 30, 50);
        assert_eq!((limited.eligible.places, limited.spare.places), (vec![0, 2, 3, 4], vec![1]));
        let most = of(&[ejected(1), ejected(2), ejected(3), well]);
        assert_eq!((most.eligible.places.len(), most.out, most.panic), (4, 0, true));
        assert!(of(&[ejected(1), ejected(2)]).panic);
        let alone = of(&[ejected(1)]);
        assert_eq!((alone.eligible.places, alone.panic), (vec![0], false), "there is nobody else to call");
    }

    #[test]
    fn who_cannot_be_reached_is_out_whatever_the_limit() {
        let view = of(&[doubted(), doubted(), Seen::default()]);
        assert_eq!((view.eligible.places, view.panic, view.until), (vec![2], false, NOW + 5));
        assert!(of(&[doubted(), doubted()]).eligible.is_empty());
    }

    #[test]
    fn what_has_ended_counts_no_more() {
        let ended = Seen { ejected_since: 1, ejected_until: NOW, doubted_until: NOW };
        let view = of(&[ended, Seen::default()]);
        assert_eq!((view.eligible.places, view.until), (vec![0, 1], Moment::MAX));
    }

    proptest! {
        #[test]
        fn nobody_is_lost_and_no_more_are_out_than_may_be(
            members in proptest::collection::vec((0..40_u64, any::<bool>(), any::<bool>()), 1..40),
            cut in 0..40_usize,
            max_ejected in 0..=100_u32,
            threshold in 0..=100_u32,
        ) {
            let seen: Vec<Seen> = members.iter().map(|&(since, is_ejected, is_doubted)| Seen {
                ejected_since: since,
                ejected_until: if is_ejected { NOW + 1 } else { 0 },
                doubted_until: if is_doubted { NOW + 1 } else { 0 },
            }).collect();
            let cut = cut.min(seen.len());
            let view = view(&seen, &[cut, seen.len()], NOW, max_ejected, threshold);
            let condemned = seen.iter().filter(|seen| seen.ejected_until > NOW).count();
            prop_assert_eq!(view.well, seen.len() - condemned);
            prop_assert!(view.out <= condemned && view.out < seen.len());
            prop_assert!(view.out <= room(seen.len(), max_ejected));
            if view.panic {
                prop_assert!(view.out == 0 && (view.well as f64) < f64::from(threshold) / 100.0 * seen.len() as f64);
            } else {
                prop_assert_eq!(view.out, condemned.min(room(seen.len(), max_ejected)));
            }
            let mut all: Vec<u32> = [view.eligible.places.clone(), view.spare.places.clone()].concat();
            all.sort_unstable();
            let reachable: Vec<u32> = (0..).zip(&seen).filter(|(_, s)| s.doubted_until <= NOW).map(|(at, _)| at).collect();
            prop_assert_eq!(all, reachable, "who can be reached is on one of the two lists");
            prop_assert!(view.eligible.part(0).iter().all(|place| (*place as usize) < cut));
            prop_assert!(view.eligible.part(1).iter().all(|place| (*place as usize) >= cut));
            prop_assert_eq!(view.eligible.part(0).len() + view.eligible.part(1).len(), view.eligible.places.len());
        }
    }
}
