//! Laws of registering, staying registered, and going.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use super::{DirectorySubject, find, ids, register, registration, writable};
use crate::{
    contract::Registration,
    directory::{Lease, Query, Standing},
    error::{Error, ErrorKind},
};

fn moved(registration: &Registration) -> Registration {
    let mut moved = registration.clone();
    moved.endpoint = "http://127.0.0.1:2".to_owned();
    moved
}

/// A restart registers under the same id: one entry stays, with what the newer one said.
pub async fn registering_the_same_id_replaces_the_entry<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let mut registration = registration("law-1", "law");
    register(directory, &registration).await;
    subject.tick().await;
    registration.version = "1.3.0".to_owned();
    register(directory, &moved(&registration)).await;
    let found = find(directory, Query::name("law")).await;
    let seen: Vec<_> = found.iter().map(|e| (e.id.as_str(), e.version.as_str(), e.endpoint.as_str())).collect();
    assert_eq!(seen, [("law-1", "1.3.0", "http://127.0.0.1:2")]);
}

/// [`Standing::Listed`] while the entry is there.
pub async fn a_heartbeat_of_a_listed_one_says_listed<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let lease = register(directory, &registration("law-1", "law")).await;
    for _ in 0..2 {
        assert_eq!(directory.heartbeat(&lease).await.expect("a heartbeat is taken"), Standing::Listed);
    }
}

/// Where `heartbeats` is declared, an entry says when it was last heard of.
pub async fn a_heartbeat_dates_the_entry_where_that_is_declared<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let lease = register(directory, &registration("law-1", "law")).await;
    directory.heartbeat(&lease).await.expect("a heartbeat is taken");
    let found = find(directory, Query::id("law-1")).await;
    let dated = found.first().expect("a listed component is found").last_heartbeat.is_some();
    assert!(dated || !directory.capabilities().heartbeats, "heartbeats are declared, and the entry is not dated");
}

/// [`Standing::Forgotten`], so that the component registers again; it is no error.
pub async fn a_heartbeat_of_a_forgotten_one_says_forgotten<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let lease = register(directory, &registration("law-1", "law")).await;
    directory.unregister(&lease).await.expect("the own entry is removed");
    assert_eq!(directory.heartbeat(&lease).await.expect("a heartbeat is taken"), Standing::Forgotten);
    assert!(ids(directory, Query::id("law-1")).await.is_empty(), "a heartbeat must not bring the entry back");
}

/// [`Standing::Replaced`] once another process registered the id at another endpoint.
pub async fn a_heartbeat_of_a_replaced_one_says_replaced<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let old = registration("law-1", "law");
    let old_lease = register(directory, &old).await;
    subject.tick().await;
    let new_lease = register(directory, &moved(&old)).await;
    assert_eq!(directory.heartbeat(&old_lease).await.expect("a heartbeat is taken"), Standing::Replaced);
    assert_eq!(directory.heartbeat(&new_lease).await.expect("a heartbeat is taken"), Standing::Listed);
}

/// It says `true` and the entry is gone; others stay.
pub async fn unregistering_removes_the_own_entry<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let lease = register(directory, &registration("law-1", "law")).await;
    subject.tick().await;
    register(directory, &registration("law-2", "law")).await;
    assert_eq!(ids(directory, Query::name("law")).await.len(), 2);
    assert!(directory.unregister(&lease).await.expect("the own entry is removed"));
    assert_eq!(ids(directory, Query::name("law")).await, ["law-2"]);
}

/// That the entry is gone already is no error.
pub async fn unregistering_twice_says_false<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let lease = register(directory, &registration("law-1", "law")).await;
    assert!(directory.unregister(&lease).await.expect("the own entry is removed"));
    assert!(!directory.unregister(&lease).await.expect("an entry that is gone is no error"));
}

/// In a rolling restart the old process goes last: it must not take the new one's entry with it.
pub async fn an_old_lease_does_not_remove_the_new_entry<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let old = registration("law-1", "law");
    let old_lease = register(directory, &old).await;
    subject.tick().await;
    register(directory, &moved(&old)).await;
    assert!(!directory.unregister(&old_lease).await.expect("another one's entry is no error"));
    let found = find(directory, Query::id("law-1")).await;
    assert_eq!(found.iter().map(|e| e.endpoint.as_str()).collect::<Vec<_>>(), ["http://127.0.0.1:2"]);
}

/// A directory that takes no registrations refuses all three calls with [`ErrorKind::Rejected`] and a sentence.
pub async fn undeclared_registration_is_rejected_and_changes_nothing<S: DirectorySubject + ?Sized>(subject: &S) {
    let directory = subject.directory();
    if directory.capabilities().registration {
        return;
    }
    let before = find(directory, Query::everybody()).await;
    let listed = before.first().map(|entry| Lease::new(&entry.id, &entry.endpoint));
    let lease = listed.unwrap_or_else(|| Lease::new("law-1", super::NOWHERE));
    let refused: [(&str, Option<Error>); 3] = [
        ("register", directory.register(&registration("law-1", "law")).await.err()),
        ("heartbeat", directory.heartbeat(&lease).await.err()),
        ("unregister", directory.unregister(&lease).await.err()),
    ];
    for (call, error) in refused {
        let error = error.unwrap_or_else(|| panic!("{call} must fail where registration is not declared"));
        assert_eq!(error.kind(), ErrorKind::Rejected, "{call}: {}", error.report());
        assert!(error.to_string().contains(' '), "{call}: {error:?} is no sentence");
    }
    assert_eq!(find(directory, Query::everybody()).await, before);
}
