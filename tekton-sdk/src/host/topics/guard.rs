//! Seam: who may hear and tell what.

use std::fmt;

use crate::{context::Identity, patterns::events::Topic};

/// Decides which events of a served component somebody may hear and publish. Third parties implement it;
/// [`Serve::guard_topics`](crate::host::Serve::guard_topics) takes it.
///
/// ```
/// use tekton_sdk::{context::Identity, host::TopicGuard, patterns::events::Topic};
///
/// /// Everybody hears `public.…`; who has the scope `events` hears and publishes everything.
/// #[derive(Debug)]
/// struct ByScope;
///
/// impl TopicGuard for ByScope {
///     fn may_hear(&self, who: Option<&Identity>, topic: &Topic) -> bool {
///         topic.tokens().next() == Some("public") || self.may_publish(who, topic)
///     }
///
///     fn may_publish(&self, who: Option<&Identity>, _: &Topic) -> bool {
///         who.is_some_and(|who| who.has_scope("events"))
///     }
/// }
/// ```
pub trait TopicGuard: fmt::Debug + Send + Sync + 'static {
    /// **When:** a subscription names a topic without wildcards, and once for each event before it is sent. **Given** who
    /// subscribed, as proven then, and the topic. An event that may not be heard is left out, and nothing says that it was there.
    ///
    /// **Must not** wait.
    fn may_hear(&self, who: Option<&Identity>, topic: &Topic) -> bool;

    /// **When:** somebody publishes. **Given** who does, and the topic.
    ///
    /// **Must not** wait.
    fn may_publish(&self, who: Option<&Identity>, topic: &Topic) -> bool;
}
