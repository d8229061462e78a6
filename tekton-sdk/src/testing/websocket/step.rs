//! What a script is made of.

use std::time::Duration;

use bytes::Bytes;

/// One step of the script of a connection. Before the first step but [`Handshake`](Self::Handshake) the connection is upgraded; after
/// the last it goes on reading until the client closes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsStep {
    /// Answers the upgrade with this text instead; `$ACCEPT` stands for the right value of `Sec-WebSocket-Accept`. The rest is played
    /// whatever that was.
    Handshake(String),
    /// Reads until so many messages have come over this connection since it began.
    Await(usize),
    /// Sends a text; `$ID` and `$ID1` stand for the id of the first call that came, `$ID2` for that of the second, and so on.
    Say(String),
    /// Sends a text in several frames, with the same stand-ins.
    Fragments(Vec<String>),
    /// Sends a message of bytes.
    Binary(Bytes),
    /// Puts these bytes on the wire, whatever they are as frames.
    Raw(Bytes),
    /// Pings with this.
    Ping(Bytes),
    /// Reads until a pong has come.
    AwaitPong,
    /// Answers each of the calls that came so far with its own parameters, in this order.
    EchoAll(Order),
    /// Answers each call with its own parameters as it comes, until the client closes.
    Echo,
    /// Reads for so long, by the clock of the server.
    Delay(Duration),
    /// Closes with this code.
    Close(u16),
    /// Ends the connection without a closing handshake.
    Drop,
    /// Resets the connection.
    Reset,
    /// Neither reads nor writes any more, and keeps the connection open: as a machine that lost its power.
    Stall,
}

/// In which order calls are answered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came.
    Forward,
    /// The last first.
    Backward,
    /// Every second one backwards, then the others.
    Shuffled,
    /// As they came, each of them twice.
    Twice,
}
