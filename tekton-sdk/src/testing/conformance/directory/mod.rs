//! The laws of a [`Directory`].

mod finding;
mod keeping;
mod tools;

use async_trait::async_trait;

pub use finding::*;
pub use keeping::*;
pub use tools::*;

use crate::{
    contract::{Entry, Registration},
    directory::{Directory, HealthFilter, Lease, Query},
};

/// A fresh directory under test. Every [`Directory`] is one, and so is a pair of one and whatever must stay alive with it.
#[async_trait]
pub trait DirectorySubject: Send + Sync {
    /// The directory.
    fn directory(&self) -> &dyn Directory;

    /// Lets time pass, so that the registrations before and after can be told apart.
    async fn tick(&self);
}

#[async_trait]
impl<D: Directory> DirectorySubject for D {
    fn directory(&self) -> &dyn Directory {
        self
    }

    /// Nothing to do: the wall clock goes on by itself.
    async fn tick(&self) {}
}

#[async_trait]
impl<D: Directory, K: Send + Sync> DirectorySubject for (D, K) {
    fn directory(&self) -> &dyn Directory {
        &self.0
    }

    /// Nothing to do: the wall clock goes on by itself.
    async fn tick(&self) {}
}

/// Makes one `#[test]` of each law that a [`Directory`](crate::directory::Directory) keeps.
///
/// The expression makes a fresh, empty subject for each law; it may `await`. A subject that takes no registrations may list
/// whatever it does. See [`DirectorySubject`](crate::testing::conformance::directory::DirectorySubject).
///
/// ```
/// mod memory {
///     use tekton_sdk::{directory::MemoryDirectory, time::SharedClock};
///
///     tekton_sdk::directory_conformance!(MemoryDirectory::new(SharedClock::default()));
/// }
/// ```
#[macro_export]
macro_rules! directory_conformance {
    ($make:expr) => {
        $crate::__laws! { directory, $make;
            a_registered_component_is_found_by_name_id_and_capability
            a_name_is_found_in_any_case_of_letters
            what_was_registered_comes_back
            registering_the_same_id_replaces_the_entry
            a_heartbeat_of_a_listed_one_says_listed
            a_heartbeat_dates_the_entry_where_that_is_declared
            a_heartbeat_of_a_forgotten_one_says_forgotten
            a_heartbeat_of_a_replaced_one_says_replaced
            unregistering_removes_the_own_entry
            unregistering_twice_says_false
            an_old_lease_does_not_remove_the_new_entry
            finding_nobody_is_an_empty_list
            the_newest_registration_comes_first
            a_score_below_the_minimum_is_no_match
            a_context_window_below_the_minimum_is_no_match
            every_capability_of_all_is_needed
            one_capability_of_any_is_enough
            who_is_not_known_to_be_well_is_no_healthy_match
            a_malformed_endpoint_is_listed
            many_entries_are_all_found
            undeclared_registration_is_rejected_and_changes_nothing
            a_published_tool_is_withdrawn_once
            publishing_the_same_tool_replaces_it
            an_old_lease_does_not_withdraw_the_new_tools
            undeclared_tools_are_rejected
        }
    };
}

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The directory, if it takes registrations: the other laws say nothing about one that does not.
fn writable<S: DirectorySubject + ?Sized>(subject: &S) -> Option<&dyn Directory> {
    let directory = subject.directory();
    directory.capabilities().registration.then_some(directory)
}

fn registration(id: &str, name: &str) -> Registration {
    Registration::new(id, name, "1.2.0", NOWHERE)
}

async fn register(directory: &dyn Directory, registration: &Registration) -> Lease {
    directory.register(registration).await.expect("a declared registration is taken")
}

/// What is found, whatever its health: that is asked in one law only.
async fn find(directory: &dyn Directory, query: Query) -> Vec<Entry> {
    directory.find(&query.with_health(HealthFilter::Any)).await.expect("a directory that is up finds")
}

async fn ids(directory: &dyn Directory, query: Query) -> Vec<String> {
    find(directory, query).await.into_iter().map(|entry| entry.id).collect()
}
