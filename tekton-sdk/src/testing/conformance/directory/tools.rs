//! Laws of publishing tools.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use super::{DirectorySubject, NOWHERE, register, registration};
use crate::{
    contract::{Operation, PublishedTool, Registration, Tool},
    directory::{Directory, Lease},
    error::{Error, ErrorKind},
};

/// The directory, if it takes tools.
fn with_tools<S: DirectorySubject + ?Sized>(subject: &S) -> Option<&dyn Directory> {
    let directory = subject.directory();
    directory.capabilities().tools.then_some(directory)
}

fn tool(registration: &Registration) -> PublishedTool {
    const OBEY: Operation = Operation::read("obey", "Obeys the law.");
    PublishedTool::new(registration, "/api/v1/obey", Tool::of(&OBEY))
}

async fn publish(directory: &dyn Directory, lease: &Lease, tool: &PublishedTool) {
    directory.publish_tools(lease, std::slice::from_ref(tool)).await.expect("a declared tool is taken");
}

async fn withdraw(directory: &dyn Directory, lease: &Lease, id: &str) -> usize {
    directory.withdraw_tools(lease, &[id.to_owned()]).await.expect("a tool that is gone or another's is no error")
}

/// It says how many it removed, and that there is nothing left is no error; other tools stay.
pub async fn a_published_tool_is_withdrawn_once<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = with_tools(subject) else { return };
    let (one, two) = (registration("law-1", "law"), registration("law-2", "law"));
    let lease = register(directory, &one).await;
    let other = register(directory, &two).await;
    assert_eq!(withdraw(directory, &lease, "law-1.obey").await, 0);
    publish(directory, &lease, &tool(&one)).await;
    publish(directory, &other, &tool(&two)).await;
    assert_eq!(withdraw(directory, &lease, "law-1.obey").await, 1);
    assert_eq!(withdraw(directory, &lease, "law-1.obey").await, 0);
    assert_eq!(withdraw(directory, &other, "law-2.obey").await, 1);
}

/// After every registration the tools are published again: none may be there twice.
pub async fn publishing_the_same_tool_replaces_it<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = with_tools(subject) else { return };
    let registration = registration("law-1", "law");
    let lease = register(directory, &registration).await;
    for _ in 0..3 {
        publish(directory, &lease, &tool(&registration)).await;
    }
    assert_eq!(withdraw(directory, &lease, "law-1.obey").await, 1);
}

/// In a rolling restart the old process goes last: it must not take the new one's tools with it.
pub async fn an_old_lease_does_not_withdraw_the_new_tools<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = with_tools(subject) else { return };
    let old = registration("law-1", "law");
    let mut new = old.clone();
    // The old endpoint is a prefix of the new one, and yet another.
    new.endpoint = format!("{NOWHERE}2");
    let old_lease = register(directory, &old).await;
    publish(directory, &old_lease, &tool(&old)).await;
    subject.tick().await;
    let new_lease = register(directory, &new).await;
    publish(directory, &new_lease, &tool(&new)).await;
    assert_eq!(withdraw(directory, &old_lease, "law-1.obey").await, 0);
    assert_eq!(withdraw(directory, &new_lease, "law-1.obey").await, 1);
}

/// A directory that takes no tools refuses both calls with [`ErrorKind::Rejected`] and a sentence.
pub async fn undeclared_tools_are_rejected<S: DirectorySubject + ?Sized>(subject: &S) {
    let directory = subject.directory();
    if directory.capabilities().tools {
        return;
    }
    let registration = registration("law-1", "law");
    let lease = Lease::new(&registration.id, &registration.endpoint);
    let tools = [tool(&registration)];
    let refused: [(&str, Option<Error>); 2] = [
        ("publish_tools", directory.publish_tools(&lease, &tools).await.err()),
        ("withdraw_tools", directory.withdraw_tools(&lease, &["law-1.obey".to_owned()]).await.err()),
    ];
    for (call, error) in refused {
        let error = error.unwrap_or_else(|| panic!("{call} must fail where tools are not declared"));
        assert_eq!(error.kind(), ErrorKind::Rejected, "{call}: {}", error.report());
        assert!(error.to_string().contains(' '), "{call}: {error:?} is no sentence");
    }
}
