//! Settings of the hub and of the cache.

mod cache;
mod hub;

pub use cache::DirectoryConfig;
pub use hub::HubConfig;
