//! Who gets a place, in which order, and who is given up.

use tokio::task::JoinHandle;

use super::*;

/// One place, and a line that waits for ten seconds.
fn narrow(host: HostConfig) -> HostConfig {
    host.with_max_concurrency(1).with_queue_timeout(10 * SECOND).with_shed_target(Some(Duration::ZERO))
}

/// A request in a task of its own.
fn asking(bed: &TestBed, operation: &'static str, headers: &'static [(&'static str, &str)]) -> JoinHandle<Answer> {
    let transport = bed.transport().clone();
    tokio::spawn(async move { ask(&transport, operation, headers).await })
}

/// Asks one after the other, each once the one before stands in line.
async fn line_up(
    bed: &TestBed,
    operations: &[(&'static str, &'static [(&'static str, &str)])],
) -> Vec<JoinHandle<Answer>> {
    let mut asked = Vec::new();
    for (operation, headers) in operations {
        let waiting = limits(bed.transport()).await["waiting"].as_u64().unwrap() as usize;
        asked.push(asking(bed, operation, headers));
        until(bed, 1, waiting + 1).await;
    }
    asked
}

const LOWERED: &[(&str, &str)] = &[("x-tekton-priority", "low")];
const RAISED: &[(&str, &str)] = &[("x-tekton-priority", "high")];
const NONSENSE: &[(&str, &str)] = &[("x-tekton-priority", "urgent")];

#[tokio::test]
async fn what_matters_more_goes_first_and_nobody_raises_what_it_asks() {
    let (bed, gate) = desk(narrow).await;
    let first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    let asked = [
        ("spare", RAISED),
        ("urgent", LOWERED),
        ("work", RAISED),
        ("work", NONSENSE),
        ("urgent", &[] as &[_]),
        ("named", LOWERED),
    ];
    let asked = line_up(&bed, &asked).await;
    gate.open.add_permits(7);
    for asked in asked.into_iter().chain([first]) {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    // `urgent` said low stands with the low ones; `spare` and `work` said high stand where they are.
    assert_eq!(gate.began(), ["work", "urgent", "work", "work", "spare", "urgent", "x"]);
}

#[tokio::test]
async fn within_one_priority_who_came_first_is_first() {
    let (bed, gate) = desk(narrow).await;
    let _first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    let asked: Vec<_> = ["spare", "urgent", "named", "work"].into_iter().map(|name| (name, LOWERED)).collect();
    line_up(&bed, &asked).await;
    gate.open.add_permits(5);
    gate.until_began(5).await;
    assert_eq!(gate.began(), ["work", "spare", "urgent", "x", "work"]);
}

#[tokio::test]
async fn who_goes_away_while_it_waits_leaves_the_line() {
    let (bed, gate) = desk(narrow).await;
    let _first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    let asked = line_up(&bed, &[("named", &[]), ("spare", &[])]).await;
    asked[0].abort();
    until(&bed, 1, 1).await;
    gate.open.add_permits(1);
    gate.until_began(2).await;
    assert_eq!(gate.began(), ["work", "spare"]);
    until(&bed, 1, 0).await;
    // Who goes away from its place gives that up too.
    asked[1].abort();
    until(&bed, 0, 0).await;
    assert_eq!(ask(bed.transport(), "ping", &[]).await.status, 200);
}

#[tokio::test]
async fn a_full_line_gives_up_what_matters_less_and_health_answers_all_the_same() {
    let (bed, gate) = desk(|host| narrow(host).with_max_waiting(2)).await;
    let _first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    let mut asked = line_up(&bed, &[("spare", &[]), ("spare", &[])]).await;
    let refused = ask(bed.transport(), "spare", &[]).await;
    assert_eq!((refused.told(), refused.retry_after.as_deref()), ((429, "concurrency"), Some("1")));
    let _urgent = asking(&bed, "urgent", &[]);
    let refused = asked.pop().unwrap().await.unwrap();
    assert_eq!((refused.told(), refused.retry_after.as_deref()), ((503, "shed"), Some("1")));
    assert!(refused.body["detail"].as_str().unwrap().starts_with("shed: "));
    for path in ["/health", "/live", "/ready", "/metrics", "/discovery", "/introspect", "/mcp/tools.json"] {
        assert_eq!(get(bed.transport(), Method::GET, path, &[]).await.status, 200, "{path}");
    }
    until(&bed, 1, 2).await;
}

#[tokio::test]
async fn who_waits_too_long_is_refused_and_who_waits_in_a_standing_line_is_given_up() {
    let (bed, gate) = desk(|host| narrow(host).with_shed_target(None)).await;
    let _first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    let mut asked = line_up(&bed, &[("work", &[]), ("spare", &[])]).await;
    bed.clock().advance(9 * SECOND);
    asked.extend(line_up(&bed, &[("named", &[]), ("urgent", &[])]).await);
    // The line is ten seconds old; one second is what may be waited in it.
    bed.clock().advance(SECOND);
    let mut asked = asked.into_iter();
    for _ in 0..2 {
        let refused = asked.next().unwrap().await.unwrap();
        assert_eq!((refused.told(), refused.retry_after.as_deref()), ((429, "concurrency"), Some("1")));
    }
    bed.clock().advance(SECOND / 2);
    gate.open.add_permits(1);
    let given_up = asked.next().unwrap().await.unwrap();
    assert_eq!((given_up.told(), given_up.retry_after.as_deref()), ((503, "shed"), Some("1")));
    assert!(given_up.body["detail"].as_str().unwrap().contains("has waited too long"));
    gate.until_began(2).await;
    assert_eq!(gate.began(), ["work", "urgent"]);
}

#[tokio::test]
async fn what_would_come_too_late_is_not_begun() {
    let (bed, gate) = desk(narrow).await;
    let first = asking(&bed, "work", &[]);
    gate.until_began(1).await;
    // The operation takes five seconds at best, as far as is known.
    bed.clock().advance(5 * SECOND);
    gate.open.add_permits(1);
    assert_eq!(first.await.unwrap().status, 200);
    let _second = asking(&bed, "work", &[]);
    gate.until_began(2).await;
    let asked = line_up(&bed, &[("work", &[("x-tekton-deadline-ms", "6000")]), ("work", &[])]).await;
    bed.clock().advance(2 * SECOND);
    gate.open.add_permits(1);
    let mut asked = asked.into_iter();
    let late = asked.next().unwrap().await.unwrap();
    assert_eq!((late.told(), late.retry_after.as_deref()), ((503, "shed"), Some("1")));
    assert!(late.body["detail"].as_str().unwrap().contains("less time was left than the operation takes"));
    gate.until_began(3).await;
    gate.open.add_permits(1);
    assert_eq!(asked.next().unwrap().await.unwrap().status, 200);
    assert_eq!(gate.began().len(), 3, "what came too late was never begun");
}
