//! Newline-delimited JSON, read line by line: a [`Decoder`] that is fed chunks as they come.
//!
//! However a stream is cut into chunks, the same lines come out, each as soon as its end has come. A line that lies within one
//! chunk is lent from there and not copied. Blank lines, which are signs of life, are passed over.
//!
//! ```
//! use tekton_sdk::wire::ndjson::Decoder;
//!
//! let mut decoder = Decoder::new(1 << 20);
//! let mut lines = Vec::new();
//! for mut chunk in [&b"{\"a\":1}\n\r\n[2"[..], b"]\r\n3"] {
//!     while let Some(line) = decoder.next_line(&mut chunk)? {
//!         lines.push(String::from_utf8_lossy(line).into_owned());
//!     }
//! }
//! assert_eq!((lines, decoder.buffered_bytes()), (vec!["{\"a\":1}".to_owned(), "[2]".to_owned()], 1));
//! # Ok::<(), tekton_sdk::Error>(())
//! ```
//!
//! *What can go wrong:* a line over its cap, [`Rejected`](ErrorKind::Rejected). What stands in a line is not looked at.

use memchr::memchr;

use crate::error::{Error, ErrorKind, Result};

/// The media type.
pub const CONTENT_TYPE: &str = "application/x-ndjson";

/// Finds the lines of a stream.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_line_bytes: usize,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// What was begun has been given out.
    given: bool,
}

impl Decoder {
    /// A decoder of lines of at most so many bytes, the line's end not counted.
    #[must_use]
    pub const fn new(max_line_bytes: usize) -> Self {
        Self { max_line_bytes, begun: Vec::new(), given: false }
    }

    /// The next line that is not blank, without its end; `None` if the rest of the chunk ends none. What was read is taken off the
    /// chunk.
    ///
    /// # Errors
    /// [`Rejected`](ErrorKind::Rejected) naming the cap, as soon as a line has more bytes than that. The decoder is of no use then.
    pub fn next_line<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<&'a [u8]>> {
        if std::mem::take(&mut self.given) {
            self.begun.clear();
        }
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            self.check(line)?;
            *chunk = rest;
            if !self.begun.is_empty() {
                self.begun.extend_from_slice(line);
                if !is_blank(&self.begun) {
                    self.given = true;
                    break;
                }
                self.begun.clear();
            } else if !is_blank(line) {
                return Ok(Some(without_return(line)));
            }
        }
        if self.given {
            return Ok(Some(without_return(&self.begun)));
        }
        self.check(chunk)?;
        self.begun.extend_from_slice(chunk);
        *chunk = &[];
        Ok(None)
    }

    /// How many bytes of a line are kept whose end has not come. At the end of a stream they are a line that broke off.
    #[must_use]
    pub const fn buffered_bytes(&self) -> usize {
        if self.given { 0 } else { self.begun.len() }
    }

    /// Whether the line has room for this; a carriage return at its end may be part of the line's end.
    fn check(&self, more: &[u8]) -> Result<()> {
        let returns = more.last().or(self.begun.last()) == Some(&b'\r');
        let length = self.begun.len() + more.len() - usize::from(returns);
        if length <= self.max_line_bytes {
            return Ok(());
        }
        let what = format!("a line of the stream is longer than the {} bytes allowed", self.max_line_bytes);
        Err(Error::new(ErrorKind::Rejected, what))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines<'a>(cap: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Result<usize, String>) {
        let (mut decoder, mut lines) = (Decoder::new(cap), Vec::new());
        for mut chunk in chunks {
            loop {
                match decoder.next_line(&mut chunk) {
                    Ok(Some(line)) => lines.push(line.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (lines, Err(error.to_string())),
                }
            }
            assert!(chunk.is_empty());
        }
        (lines, Ok(decoder.buffered_bytes()))
    }

    #[test]
    fn a_line_over_its_cap_is_refused_wherever_it_is_cut() {
        for text in [&b"12345\n"[..], b"12345\r\n", b"\n\n12345\n"] {
            assert_eq!(lines(5, [text]), (vec![b"12345".to_vec()], Ok(0)), "{text:?}");
            assert_eq!(lines(5, text.chunks(1)), (vec![b"12345".to_vec()], Ok(0)), "{text:?}");
        }
        let refused = Err("a line of the stream is longer than the 5 bytes allowed".to_owned());
        for chunks in [vec![&b"123456"[..]], vec![b"123", b"456"], vec![b"123456\n"], vec![b"12345\r", b"6"]] {
            assert_eq!(lines(5, chunks.clone()), (vec![], refused.clone()), "{chunks:?}");
        }
    }

    #[test]
    fn a_stream_without_a_line_end_keeps_no_more_than_its_cap() {
        let (chunk, mut decoder) = ([b'x'; 4096], Decoder::new(64 << 10));
        let refused = (0..1_000_000).find_map(|_| decoder.next_line(&mut &chunk[..]).err());
        assert!(refused.is_some() && decoder.begun.capacity() <= 128 << 10);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_same_lines_come_out(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), Just(b'a'), any::<u8>()], 0..200),
            sizes in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let mut rest = &text[..];
            let mut chunks: Vec<&[u8]> = sizes.iter().map(|size| {
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                rest = after;
                chunk
            }).collect();
            chunks.push(rest);
            let whole = lines(1000, [&text[..]]);
            prop_assert_eq!(&lines(1000, chunks), &whole);
            prop_assert_eq!(&lines(1000, text.chunks(1)), &whole);
            let plain: Vec<Vec<u8>> = text.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"))
                .map(|line| without_return(&line[..line.len() - 1]).to_vec()).filter(|line| !is_blank(line)).collect();
            prop_assert_eq!(whole.0, plain);
        }
    }
}
