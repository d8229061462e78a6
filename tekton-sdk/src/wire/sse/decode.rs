//! Chunks of bytes in, events out.

use std::{borrow::Cow, mem, time::Duration};

use memchr::{memchr, memchr2};

use super::{
    MESSAGE, SseLimits,
    event::{Event, Frame},
    line::{self, LONGEST_PREFIX, Line},
};
use crate::error::{Error, ErrorKind, Result, Sent};

/// A buffer that has grown beyond this is given back once it is empty.
const KEPT_BYTES: usize = 64 * 1024;

/// Reads one event stream, and after it those of the connections that resume it.
///
/// It keeps at most one unterminated line and one event that is not complete, each under its cap, and the last event id.
/// After an error it says the same error again until [`restart`](Self::restart).
#[derive(Debug)]
#[must_use = "a decoder yields nothing until it is fed"]
pub struct Decoder {
    limits: SseLimits,
    /// The line that the last chunk did not end.
    line: Vec<u8>,
    /// The event that is not complete: what of its data did not lie within one chunk, as it came, and its type.
    data: Vec<u8>,
    /// Where in the buffer the data begins: it may be a whole line, with the name of the field.
    data_from: usize,
    has_data: bool,
    kind: String,
    /// The id of this block, if it has one: it counts from its blank line on.
    next_id: String,
    has_id: bool,
    last_event_id: String,
    retry: Option<Duration>,
    first_line: bool,
    /// Nothing of the next block has come.
    between: bool,
    /// The last byte was a CR: an LF after it belongs to it.
    after_cr: bool,
    /// The event is lent and over when the decoder goes on.
    lent: bool,
    over: Option<Cap>,
}

/// What a step of the decoder found. It borrows the chunk alone, so that the decoder can go on if nobody wants it.
enum Step<'c> {
    /// The event is complete. Its data lies in the chunk or, if it is not given, in the buffer.
    Event(Option<&'c [u8]>),
    Comment(Cow<'c, str>),
    Retry(Duration),
}

/// What became of a chunk that begins within a line.
enum Rest {
    /// The event is complete, with its data in the buffer.
    Event,
    /// The chunk ends within the line, and is kept.
    Kept,
    /// It is not for the short way: nothing was done.
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Cap {
    Line,
    Event,
}

impl Decoder {
    /// Reads a stream from its beginning.
    pub const fn new(limits: SseLimits) -> Self {
        Self {
            limits,
            line: Vec::new(),
            data: Vec::new(),
            data_from: 0,
            has_data: false,
            kind: String::new(),
            next_id: String::new(),
            has_id: false,
            last_event_id: String::new(),
            retry: None,
            first_line: true,
            between: false,
            after_cr: false,
            lent: false,
            over: None,
        }
    }

    /// The stream goes on after this event: what [`last_event_id`](Self::last_event_id) says until another one comes.
    pub fn with_last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// The next event of the chunk, which is shortened to what comes after it. Nothing if more bytes are needed: then the
    /// chunk is used up.
    ///
    /// # Errors
    ///
    /// [`Rejected`](ErrorKind::Rejected), naming the cap that a line or an event goes over.
    #[inline]
    pub fn next_event<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'a>>> {
        match self.plain(chunk) {
            Some(data) => Ok(Some(Event { kind: MESSAGE, data: line::text(data), id: &self.last_event_id })),
            None => self.any_event(chunk),
        }
    }

    /// Not inlined, so that the short way stays short.
    #[inline(never)]
    fn any_event<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'a>>> {
        if self.lent {
            self.clear_event();
            if let Some(data) = self.plain(chunk) {
                return Ok(Some(self.event(Some(data))));
            }
        } else if !self.line.is_empty() {
            match self.rest_of_plain(chunk) {
                Rest::Event => return Ok(Some(self.event(None))),
                Rest::Kept => return Ok(None),
                Rest::Other => {}
            }
        }
        loop {
            match self.step(chunk)? {
                Some(Step::Event(data)) => return Ok(Some(self.event(data))),
                Some(Step::Comment(_) | Step::Retry(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next event, comment or waiting time of the chunk, as [`next_event`](Self::next_event) otherwise.
    ///
    /// # Errors
    ///
    /// Those of [`next_event`](Self::next_event).
    pub fn next_frame<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Frame<'a>>> {
        if let Some(data) = self.plain(chunk) {
            return Ok(Some(Frame::Event(self.event(Some(data)))));
        }
        Ok(self.step(chunk)?.map(|step| match step {
            Step::Event(data) => Frame::Event(self.event(data)),
            Step::Comment(text) => Frame::Comment(text),
            Step::Retry(wait) => Frame::Retry(wait),
        }))
    }

    /// What to send as `Last-Event-ID` when connecting anew; if it is empty, no such header.
    ///
    /// The id of a block counts from its blank line on, whether or not the block is an event.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// How long the server asked to wait before connecting anew. It counts at once, not from a blank line on.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Another connection begins: what was not complete is dropped, the last event id and the waiting time stay.
    pub fn restart(&mut self) {
        let id = mem::take(&mut self.last_event_id);
        *self = Self { retry: self.retry, ..Self::new(self.limits).with_last_event_id(id) };
    }

    /// How many bytes its buffers take: at most the cap of a line and four times that of an event,
    /// and those only if somebody fills all of them.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        let texts = [&self.kind, &self.next_id, &self.last_event_id].map(String::capacity);
        self.line.capacity() + self.data.capacity() + texts.iter().sum::<usize>()
    }

    fn event<'a>(&'a self, data: Option<&'a [u8]>) -> Event<'a> {
        let kind = if self.kind.is_empty() { MESSAGE } else { &self.kind };
        let data = line::text(data.unwrap_or(&self.data[self.data_from..]));
        Event { kind, data, id: &self.last_event_id }
    }

    fn step<'c>(&mut self, chunk: &mut &'c [u8]) -> Result<Option<Step<'c>>> {
        if self.lent {
            self.clear_event();
        }
        if let Some(cap) = self.over {
            *chunk = &[];
            return Err(self.refuse(cap));
        }
        // The first line of data, as long as it need not be copied.
        let mut held = None;
        let found = self.scan(chunk, &mut held);
        match found {
            Ok(Some(Step::Event(_))) => Ok(Some(Step::Event(held))),
            // The block goes on, in another chunk or after another step.
            Ok(other) => {
                self.hold(held);
                Ok(other)
            }
            Err(cap) => {
                *chunk = &[];
                Err(self.refuse(cap))
            }
        }
    }

    /// What most events are: one line of data and a blank line, ended by LF, wholly within the chunk.
    #[inline]
    fn plain<'c>(&self, chunk: &mut &'c [u8]) -> Option<&'c [u8]> {
        if !self.between || self.after_cr {
            return None;
        }
        let line = chunk.strip_prefix(b"data:")?;
        let (value, rest) = line.split_at(memchr2(b'\n', b'\r', line)?);
        let rest = rest.strip_prefix(b"\n\n")?;
        let value = line::without_space(value);
        if value.len() > self.most_data() {
            return None;
        }
        *chunk = rest;
        Some(value)
    }

    /// The same, but that it began in an earlier chunk; its type may stand before it.
    fn rest_of_plain(&mut self, chunk: &mut &[u8]) -> Rest {
        let Some(end) = memchr2(b'\n', b'\r', chunk) else {
            if self.keep(chunk).is_err() {
                return Rest::Other;
            }
            *chunk = &[];
            return Rest::Kept;
        };
        let (value, rest) = chunk.split_at(end);
        let alone = !self.has_data && !self.has_id && !self.first_line;
        let Some(rest) = rest.strip_prefix(b"\n\n").filter(|_| alone && self.line.starts_with(b"data:")) else {
            return Rest::Other;
        };
        // The name of the field counts here, though not in the caps: what is that near to them goes the long way.
        if self.kind.len() + self.line.len() + value.len() > self.most_data() || self.keep(value).is_err() {
            return Rest::Other;
        }
        // The line becomes the buffer of the data as it is, so that it is not copied twice.
        mem::swap(&mut self.line, &mut self.data);
        self.data_from = self.data.len() - line::without_space(&self.data[b"data:".len()..]).len();
        self.has_data = true;
        self.lent = true;
        *chunk = rest;
        Rest::Event
    }

    /// How much data one line may bring to an event that has no type, and no id of its own.
    fn most_data(&self) -> usize {
        self.limits.max_line_bytes.min(self.limits.max_event_bytes.saturating_sub(self.last_event_id.len()))
    }

    /// Goes from line to line up to the next step.
    #[inline]
    fn scan<'c>(&mut self, chunk: &mut &'c [u8], held: &mut Option<&'c [u8]>) -> Result<Option<Step<'c>>, Cap> {
        let mut rest = *chunk;
        loop {
            if self.after_cr && !rest.is_empty() {
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                self.after_cr = false;
            }
            if self.line.is_empty()
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                self.first_line = false;
                if let Some(event) = self.blank(held.is_some()) {
                    *chunk = rest;
                    return Ok(Some(event));
                }
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                *chunk = &[];
                self.keep(rest)?;
                return Ok(None);
            };
            let line = &rest[..end];
            let after = match (rest[end], rest.get(end + 1)) {
                (b'\r', Some(b'\n')) => end + 2,
                (b'\r', None) => {
                    self.after_cr = true;
                    end + 1
                }
                _ => end + 1,
            };
            rest = &rest[after..];
            let found = if self.line.is_empty() {
                let line = if mem::take(&mut self.first_line) { line::without_mark(line) } else { line };
                self.line(line, held)?
            } else {
                self.joined(line)?
            };
            if found.is_some() {
                *chunk = rest;
                return Ok(found);
            }
        }
    }

    /// A line that began in an earlier chunk.
    #[cold]
    fn joined<'c>(&mut self, end: &[u8]) -> Result<Option<Step<'c>>, Cap> {
        self.keep(end)?;
        let whole = mem::take(&mut self.line);
        let line = if mem::take(&mut self.first_line) { line::without_mark(&whole) } else { &whole };
        let mut held = None;
        let found = self.line(line, &mut held)?.map(|step| match step {
            Step::Event(_) => Step::Event(None),
            Step::Comment(text) => Step::Comment(text.into_owned().into()),
            Step::Retry(wait) => Step::Retry(wait),
        });
        if let Some(value) = held {
            // The line becomes the buffer of the data as it is, so that it is not copied twice.
            self.data_from = whole.len() - value.len();
            self.has_data = true;
            let old = mem::replace(&mut self.data, whole);
            self.spare(old);
        } else {
            self.spare(whole);
        }
        Ok(found)
    }

    /// Keeps a buffer for the next line.
    fn spare(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() <= KEPT_BYTES {
            self.line = buffer;
        }
    }

    /// Takes one whole line (§9.2.6).
    #[inline]
    fn line<'l>(&mut self, line: &'l [u8], held: &mut Option<&'l [u8]>) -> Result<Option<Step<'l>>, Cap> {
        if line.is_empty() {
            return Ok(self.blank(held.is_some()));
        }
        self.between = false;
        let line = Line::parse(line);
        if line.len() > self.limits.max_line_bytes {
            return Err(Cap::Line);
        }
        match line {
            Line::Data(value) => self.data(value, held)?,
            Line::Event(value) => {
                self.kind.clear();
                let value = line::text(value);
                self.room(held.map_or(0, <[u8]>::len), value.len())?;
                replace(&mut self.kind, &value);
            }
            Line::Id(value) if memchr(0, value).is_none() => {
                self.next_id.clear();
                self.has_id = true;
                let value = line::text(value);
                self.room(held.map_or(0, <[u8]>::len), value.len())?;
                replace(&mut self.next_id, &value);
            }
            Line::Retry(value) => {
                if let Some(wait) = line::retry(value) {
                    self.retry = Some(wait);
                    return Ok(Some(Step::Retry(wait)));
                }
            }
            Line::Comment(text) => return Ok(Some(Step::Comment(String::from_utf8_lossy(text)))),
            Line::Id(_) | Line::Unknown(_) => {}
        }
        Ok(None)
    }

    /// A blank line ends the block, which is an event if it has data.
    fn blank<'l>(&mut self, held: bool) -> Option<Step<'l>> {
        if mem::take(&mut self.has_id) {
            mem::swap(&mut self.last_event_id, &mut self.next_id);
        }
        self.lent = self.has_data || held;
        if !self.lent {
            self.kind.clear();
            self.between = true;
        }
        self.lent.then_some(Step::Event(None))
    }

    #[inline]
    fn data<'l>(&mut self, value: &'l [u8], held: &mut Option<&'l [u8]>) -> Result<(), Cap> {
        if !self.has_data && held.is_none() {
            self.room(value.len(), 0)?;
            *held = Some(value);
            return Ok(());
        }
        self.hold(held.take());
        self.room(0, 1 + value.len())?;
        grow(&mut self.data, 1 + value.len(), self.limits.max_event_bytes);
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
        Ok(())
    }

    /// Copies data that the chunk can lend no longer; [`room`](Self::room) was asked for it.
    fn hold(&mut self, held: Option<&[u8]>) {
        if let Some(value) = held {
            grow(&mut self.data, value.len(), self.limits.max_event_bytes);
            self.data.extend_from_slice(value);
            self.has_data = true;
        }
    }

    /// Whether the event may have so many bytes more.
    fn room(&self, held: usize, more: usize) -> Result<(), Cap> {
        let id = if self.has_id { &self.next_id } else { &self.last_event_id };
        let bytes = self.data.len() - self.data_from + self.kind.len() + id.len() + held;
        if bytes.saturating_add(more) > self.limits.max_event_bytes { Err(Cap::Event) } else { Ok(()) }
    }

    /// Keeps the beginning of a line whose end has not come.
    fn keep(&mut self, part: &[u8]) -> Result<(), Cap> {
        let most = self.limits.max_line_bytes.saturating_add(LONGEST_PREFIX);
        if self.line.len().saturating_add(part.len()) > most {
            return Err(Cap::Line);
        }
        grow(&mut self.line, part.len(), most);
        self.line.extend_from_slice(part);
        self.between &= part.is_empty();
        Ok(())
    }

    fn clear_event(&mut self) {
        self.data.clear();
        self.data_from = 0;
        if self.data.capacity() > KEPT_BYTES {
            self.data = Vec::new();
        }
        self.kind.clear();
        self.has_data = false;
        self.lent = false;
        self.between = true;
    }

    /// Gives the buffers back; the stream is over.
    #[cold]
    fn refuse(&mut self, cap: Cap) -> Error {
        self.restart();
        self.over = Some(cap);
        let what = match cap {
            Cap::Line => {
                format!("the event stream has a line of more than the {} bytes allowed", self.limits.max_line_bytes)
            }
            Cap::Event => {
                format!("the event stream has an event of more than the {} bytes allowed", self.limits.max_event_bytes)
            }
        };
        Error::new(ErrorKind::Rejected, what).with_sent(Sent::Yes)
    }
}

/// Makes room without going far over the cap, as doubling alone would.
fn grow(buffer: &mut Vec<u8>, more: usize, cap: usize) {
    let bytes = buffer.len() + more;
    if bytes > buffer.capacity() {
        let wanted = bytes.max(cap.min(2 * buffer.capacity()));
        buffer.reserve_exact(wanted - buffer.len());
    }
}

/// Puts a value in place of the one before it.
fn replace(text: &mut String, value: &str) {
    text.clear();
    text.reserve_exact(value.len());
    text.push_str(value);
}
