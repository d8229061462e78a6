//! Fakes, scripted doubles and conformance suites (feature `testing`).
