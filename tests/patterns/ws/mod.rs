//! JSON-RPC over WebSockets: what a connection lives through, on both sides.
