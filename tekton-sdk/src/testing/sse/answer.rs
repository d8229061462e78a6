//! One answer of a script.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::wire::sse::{Block, CONTENT_TYPE, encode_comment};

/// What a scripted server of event streams answers one request with: a head, then pieces, each flushed, then an end.
#[derive(Clone, Debug)]
#[must_use = "an answer is given to a script"]
pub struct SseAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) delay: Duration,
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Piece(Bytes),
    Wait(Duration),
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Close,
    Break,
    Hold,
    Flood(Bytes),
}

impl SseAnswer {
    /// 200 with the content type of an event stream. Unless more is said it ends cleanly after its pieces.
    pub fn stream() -> Self {
        Self::status(200).header(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))
    }

    /// Another status, without a content type.
    ///
    /// # Panics
    /// If `status` is none: below 100 or above 999.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status is between 100 and 999");
        Self { status, headers: HeaderMap::new(), delay: Duration::ZERO, steps: Vec::new(), end: End::Close }
    }

    /// Sets a header, replacing one of its name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Waits before the head.
    pub fn delay(mut self, wait: Duration) -> Self {
        self.delay = wait;
        self
    }

    /// Adds an event with this data.
    pub fn data(self, data: &str) -> Self {
        self.block(&Block::data(data))
    }

    /// Adds an event of this type.
    ///
    /// # Panics
    /// If the type holds CR, LF or NUL.
    pub fn event(self, kind: &str, data: &str) -> Self {
        self.block(&Block::data(data).with_kind(kind))
    }

    /// Adds an event with this id.
    ///
    /// # Panics
    /// If the id holds CR, LF or NUL.
    pub fn item(self, id: &str, data: &str) -> Self {
        self.block(&Block::data(data).with_id(id))
    }

    /// Adds what may stand between two blank lines.
    ///
    /// # Panics
    /// If type or id hold CR, LF or NUL; [`Self::bytes`] takes everything.
    pub fn block(self, block: &Block<'_>) -> Self {
        let mut piece = BytesMut::new();
        block.encode(&mut piece).expect("a block of a script can be written");
        self.bytes(piece.freeze())
    }

    /// Adds a waiting time in milliseconds, which is no event.
    pub fn retry(self, millis: u64) -> Self {
        self.block(&Block::retry(Duration::from_millis(millis)))
    }

    /// Adds a comment.
    pub fn comment(self, text: &str) -> Self {
        let mut piece = BytesMut::new();
        encode_comment(text, &mut piece);
        self.bytes(piece.freeze())
    }

    /// Adds these bytes as they are.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Piece(bytes.into()));
        self
    }

    /// Adds bytes that are neither UTF-8 nor fields.
    pub fn garbage(self) -> Self {
        self.bytes(&b"\xff\xfe\x00data\x80: \xc3\x28\r\n\r\xf0\x9f\n\n"[..])
    }

    /// Pauses, by the script's clock.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.steps.push(Step::Wait(wait));
        self
    }

    /// Cuts the pieces once more, after so many bytes of the body.
    pub fn split_at(mut self, byte: usize) -> Self {
        let (mut steps, mut passed) = (Vec::new(), 0);
        for step in self.steps {
            match step {
                Step::Piece(mut piece) if (passed + 1..passed + piece.len()).contains(&byte) => {
                    passed += piece.len();
                    let first = piece.split_to(byte + piece.len() - passed);
                    steps.extend([Step::Piece(first), Step::Piece(piece)]);
                }
                Step::Piece(piece) => {
                    passed += piece.len();
                    steps.push(Step::Piece(piece));
                }
                wait => steps.push(wait),
            }
        }
        self.steps = steps;
        self
    }

    /// Cuts the pieces into ones of at most so many bytes.
    pub fn split_every(mut self, bytes: usize) -> Self {
        let cut = |step| match step {
            Step::Piece(piece) => piece.chunks(bytes.max(1)).map(|part| Step::Piece(piece.slice_ref(part))).collect(),
            wait => vec![wait],
        };
        self.steps = self.steps.into_iter().flat_map(cut).collect();
        self
    }

    /// Keeps so many pieces, and breaks after them.
    pub fn drop_after(mut self, pieces: usize) -> Self {
        let mut left = pieces;
        self.steps.retain(|step| match step {
            Step::Piece(_) => left.checked_sub(1).inspect(|less| left = *less).is_some(),
            Step::Wait(_) => left > 0,
        });
        self.breaks()
    }

    /// Sends a piece twice; the first is 0.
    ///
    /// # Panics
    /// If there is no such piece.
    pub fn duplicate(mut self, piece: usize) -> Self {
        let at = self.place(piece);
        self.steps.insert(at, self.steps[at].clone());
        self
    }

    /// Sends two pieces in each other's place.
    ///
    /// # Panics
    /// If one of them is not there.
    pub fn swap(mut self, one: usize, other: usize) -> Self {
        let (one, other) = (self.place(one), self.place(other));
        self.steps.swap(one, other);
        self
    }

    fn place(&self, piece: usize) -> usize {
        let pieces = self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Piece(_)));
        pieces.map(|(at, _)| at).nth(piece).expect("the answer has this piece")
    }

    /// Breaks the connection after the pieces: the body has no end.
    pub fn breaks(mut self) -> Self {
        self.end = End::Break;
        self
    }

    /// Sends nothing more after the pieces, and keeps the connection.
    pub fn stalls(mut self) -> Self {
        self.end = End::Hold;
        self
    }

    /// Sends this after the pieces, again and again for as long as somebody reads.
    pub fn floods(mut self, piece: impl Into<Bytes>) -> Self {
        self.end = End::Flood(piece.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(answer: &SseAnswer) -> Vec<&str> {
        let piece = |step: &'_ Step| match step {
            Step::Piece(piece) => str::from_utf8(piece.as_ref()).map(str::to_owned).unwrap().leak() as &str,
            Step::Wait(_) => "wait",
        };
        answer.steps.iter().map(piece).collect()
    }

    #[test]
    fn pieces_are_cut_dropped_doubled_and_exchanged() {
        let answer = SseAnswer::stream().bytes("abcd").wait(Duration::from_secs(1)).bytes("efgh").bytes("ij");
        assert_eq!(pieces(&answer.clone().split_at(6)), ["abcd", "wait", "ef", "gh", "ij"]);
        assert_eq!(pieces(&answer.clone().split_at(4)), ["abcd", "wait", "efgh", "ij"]);
        assert_eq!(pieces(&answer.clone().split_at(99)), ["abcd", "wait", "efgh", "ij"]);
        assert_eq!(pieces(&answer.clone().split_every(3)), ["abc", "d", "wait", "efg", "h", "ij"]);
        assert_eq!(pieces(&answer.clone().drop_after(1)), ["abcd"]);
        assert_eq!(pieces(&answer.clone().drop_after(0)), [""; 0]);
        assert_eq!(pieces(&answer.clone().duplicate(1)), ["abcd", "wait", "efgh", "efgh", "ij"]);
        assert_eq!(pieces(&answer.swap(0, 2)), ["ij", "wait", "efgh", "abcd"]);
    }
}
