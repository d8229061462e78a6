//! Whom to take, and why.

use super::Tekton;
use crate::{
    contract::{Entry, Measured},
    directory::{Choice, Query},
    error::Result,
};

impl Tekton {
    /// The components that will do, best first, each with why it stands where it stands; none is an empty list.
    ///
    /// The order is the query's. What this process has measured of a component counts more than what its entry says. Who calls
    /// the first one with [`Tekton::peer`] leaves the choice among its instances to the call.
    ///
    /// ```
    /// # tekton_sdk::testing::block_on(async {
    /// use tekton_sdk::{
    ///     directory::{Preference, Query},
    ///     testing::{FakeComponent, TestBed},
    /// };
    ///
    /// let bed = TestBed::new()?;
    /// for (name, window, cost) in [("small", 8_000, 0.001), ("large", 200_000, 0.02), ("larger", 400_000, 0.05)] {
    ///     let model = FakeComponent::new(name).capability("text.generate").answers("generate", "…");
    ///     bed.serve(model.describe(|model| model.context_window(window).cost(cost))).await?;
    /// }
    /// let query = Query::capability("text.generate")
    ///     .with_min_context_window(32_000)
    ///     .preferring(Preference::new().latency(1.0).cost(1.0));
    /// let chosen = bed.tekton().choose(&query).await?;
    /// assert_eq!(
    ///     chosen[1].to_string(),
    ///     "larger-1: 0.700 = latency unknown -> 1.000 x 1, cost 0.05 -> 0.400 x 1"
    /// );
    /// assert_eq!((chosen.len(), chosen[0].entry.name.as_str()), (2, "large"));
    /// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of [`Query::check`], and those of the road to the directory, where nothing is remembered.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the asking to the next caller.
    pub async fn choose(&self, query: &Query) -> Result<Vec<Choice>> {
        query.check()?;
        let found = self.directory().lookup(&query.before_measuring()).await?;
        Ok(query.weigh(found.to_vec(), &|entry| self.measured(entry)))
    }

    /// What this process has measured of the endpoint of an entry.
    fn measured(&self, entry: &Entry) -> Option<Measured> {
        self.balancer().measured(&entry.endpoint)
    }
}
