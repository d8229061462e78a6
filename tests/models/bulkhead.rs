//! The bulkhead's word, beside the lock that those take who find somebody waiting.

use loom::{
    sync::{Arc, Mutex},
    thread,
};

use crate::{breaker::orders, places::Places};

/// Places with a lock and a line, used as the bulkhead uses them: whoever waits is called by number.
struct Hall {
    most: u32,
    places: Places,
    /// Who waits, and who was called.
    line: Mutex<(Vec<u32>, Vec<u32>)>,
}

impl Hall {
    fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, places: Places::new(), line: Mutex::new((Vec::new(), Vec::new())) })
    }

    /// Comes in, or waits under this number.
    fn comes(&self, number: u32) -> bool {
        if self.places.take(self.most) {
            return true;
        }
        let mut line = self.line.lock().unwrap();
        let running = self.places.enter();
        let runs = line.0.is_empty() && running < self.most;
        if !runs {
            line.0.push(number);
        }
        self.places.leave(running + u32::from(runs), !line.0.is_empty());
        runs
    }

    /// Goes out, and calls whoever waits longest.
    fn goes(&self) {
        if self.places.give() {
            return;
        }
        let mut line = self.line.lock().unwrap();
        let running = self.places.enter();
        assert!(running > 0 && running <= self.most, "{running} run");
        let next = (!line.0.is_empty()).then(|| line.0.remove(0));
        line.1.extend(next);
        self.places.leave(running - u32::from(next.is_none()), !line.0.is_empty());
    }

    /// What is left when every thread is through: those that were called go out as well.
    fn empties(&self) {
        loop {
            let called = std::mem::take(&mut self.line.lock().unwrap().1);
            if called.is_empty() {
                break;
            }
            called.iter().for_each(|_| self.goes());
        }
        assert!(self.line.lock().unwrap().0.is_empty(), "somebody waits beside a free place");
        assert!(self.places.is_free(), "{:?}", self.places);
    }
}

#[test]
fn no_wake_up_is_lost_between_threads_that_come_and_go() {
    orders(3, || {
        let hall = Hall::new(1);
        let threads: Vec<_> = (1..3)
            .map(|number| {
                let hall = Arc::clone(&hall);
                thread::spawn(move || {
                    if hall.comes(number) {
                        hall.goes();
                    }
                })
            })
            .collect();
        if hall.comes(0) {
            hall.goes();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        hall.empties();
    });
}

#[test]
fn nobody_finds_a_place_that_is_taken() {
    orders(3, || {
        let hall = Hall::new(1);
        let other = Arc::clone(&hall);
        let thread = thread::spawn(move || other.comes(1));
        let (here, there) = (hall.comes(0), thread.join().unwrap());
        assert!(here != there, "one of the two runs");
        hall.goes();
        hall.empties();
    });
}
