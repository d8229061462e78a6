//! Who connects, and what that one may.

use std::sync::Mutex;

use http::{HeaderValue, header};
use tekton_sdk::{
    Error, ErrorKind, Result, Secret, async_trait,
    context::Identity,
    host::{Identify, RequestHead, TopicGuard},
    patterns::events::Topic,
    testing::{ScriptedWebSocket, WsStep},
};

use super::*;

/// The subject is the token, unless it is an old one; who has none is nobody. It keeps what it saw.
#[derive(Clone, Debug, Default)]
struct Tokens(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Identify for Tokens {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        let token = head.headers.get(header::AUTHORIZATION).map(|token| token.to_str().unwrap());
        let token = token.and_then(|token| token.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Error::new(ErrorKind::Unauthorized, "there is no token"))?;
        self.0.lock().unwrap().push(token.to_owned());
        match token.strip_prefix("old") {
            Some(_) => Err(Error::new(ErrorKind::Unauthorized, "the token has expired")),
            None => Ok(Some(Identity::new(token))),
        }
    }
}

/// Everybody has the topics below its own name.
#[derive(Debug)]
struct Own;

impl TopicGuard for Own {
    fn may_hear(&self, who: Option<&Identity>, topic: &Topic) -> bool {
        topic.tokens().next() == who.map(Identity::subject)
    }

    fn may_publish(&self, who: Option<&Identity>, topic: &Topic) -> bool {
        self.may_hear(who, topic)
    }
}

async fn guarded(world: &World, memory: &MemoryBroker, tokens: &Tokens, port: u16) -> Served {
    world.serve_with(memory, port, |_| {}, |serve| serve.identify(tokens.clone()).guard_topics(Own)).await
}

/// Gives an old token, and this one when that was refused.
#[derive(Clone, Debug)]
struct Source {
    fresh: Arc<Mutex<&'static str>>,
    /// Whether the token before was refused, each time that one was asked for.
    asked: Arc<Mutex<Vec<bool>>>,
}

impl Source {
    fn new(fresh: &'static str) -> Self {
        Self { fresh: Arc::new(Mutex::new(fresh)), asked: Arc::default() }
    }

    fn give(&self) -> impl Fn(bool) -> std::future::Ready<Result<Secret<String>>> + use<> {
        let source = self.clone();
        move |refused| {
            source.asked.lock().unwrap().push(refused);
            let token = if refused { *source.fresh.lock().unwrap() } else { "old" };
            std::future::ready(Ok(Secret::new(token.to_owned())))
        }
    }

    /// How often one was refused.
    fn refused(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|refused| **refused).count()
    }
}

#[tokio::test]
async fn who_brings_no_proof_or_the_wrong_one_is_refused() {
    let (world, tokens) = (World::new(), Tokens::default());
    let memory = world.memory(1, None);
    let served = guarded(&world, &memory, &tokens, 0).await;
    let nobody = world.events(world.connect(&served).await);
    let error = nobody.subscribe::<u64>("ann.x").await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", error.report());
    let error = nobody.publish(message("ann.x", 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", error.report());

    let ann = world.to(served.endpoint()).bearer(Secret::new("ann".to_owned())).connect().await.unwrap();
    let ann = world.events(ann);
    for error in [
        ann.subscribe::<u64>("bob.x").await.map(drop).unwrap_err(),
        ann.publish(message("bob.x", 1)).await.map(drop).unwrap_err(),
    ] {
        let remote = error.remote().unwrap();
        assert_eq!((remote.status(), remote.code()), (403, Some("topic_refused")), "{}", error.report());
    }

    let foreign = world.to(served.endpoint()).header(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    let error = foreign.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.report().contains("403"), "{}", error.report());
    shut(&world, served).await;
}

#[tokio::test]
async fn a_token_is_fetched_for_each_connection_and_again_when_it_has_expired() {
    let (world, tokens, source) = (World::new(), Tokens::default(), Source::new("ann"));
    let memory = world.memory(1, None);
    let served = guarded(&world, &memory, &tokens, 0).await;
    let (port, near) = (port(&served), world.events(memory.clone()));
    let broker = world.to(served.endpoint()).token(source.give()).connect().await.unwrap();
    let (connection, events) = (broker.connection(), world.events(broker.clone()));
    let mut subscription = events.subscribe("ann.>").await.unwrap();
    assert_eq!(*source.asked.lock().unwrap(), [false, true], "the first one was refused, and another fetched at once");
    publish(&near, "ann.x", 1).await;
    numbers(&mut subscription, [1]).await;

    // The next ones are refused as well: a subscription that is begun already ends with that.
    *source.fresh.lock().unwrap() = "old-too";
    shut(&world, served).await;
    let served = guarded(&world, &memory, &tokens, port).await;
    until_up(&world, &connection).await;
    world.pass(SECOND).await;
    let error = subscription.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), source.refused()), (ErrorKind::Unauthorized, 2), "{}", error.report());
    assert_eq!(*tokens.0.lock().unwrap(), ["old", "ann", "old", "old-too"]);

    // A call that is refused later fetches another one, but not each of them.
    *source.fresh.lock().unwrap() = "ann";
    let error = events.publish(message("ann.x", 2)).await.unwrap_err();
    assert_eq!((error.kind(), source.refused()), (ErrorKind::Unauthorized, 2));
    world.pass(5 * SECOND).await;
    events.publish(message("ann.x", 2)).await.unwrap();
    assert_eq!(source.refused(), 3);
    shut(&world, served).await;
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_tried_once_more_with_another_token() {
    let world = World::new();
    let server = ScriptedWebSocket::start(SharedClock::default()).await.unwrap();
    let url = server.endpoint().to_string();
    let unauthorized = || WsStep::Handshake("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned());
    server.script([unauthorized(), WsStep::Drop]).script([WsStep::Echo]);
    let source = Source::new("ann");
    let broker = world.to(&url).token(source.give()).connect().await.unwrap();
    assert_eq!(*source.asked.lock().unwrap(), [false, true]);
    broker.shutdown().await;

    server.script([unauthorized(), WsStep::Drop]).script([unauthorized(), WsStep::Drop]);
    let error = world.to(&url).token(source.give()).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", error.report());

    let failing = |_| std::future::ready(Err(Error::new(ErrorKind::Unauthorized, "there is nobody to ask")));
    let error = world.to(&url).token(failing).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "there is nobody to ask");
    let connecting = tokio::spawn(world.to(&url).token(|_| std::future::pending()).connect());
    world.pass(6 * SECOND).await;
    assert_eq!(connecting.await.unwrap().unwrap_err().kind(), ErrorKind::Connect, "not for ever");
}

#[tokio::test]
async fn a_wildcard_of_one_with_one_topic_hears_that_topic_alone() {
    let (world, tokens) = (World::new(), Tokens::default());
    let memory = world.memory(1, None);
    let served = guarded(&world, &memory, &tokens, 0).await;
    let near = world.events(memory);
    let ann = world.to(served.endpoint()).bearer(Secret::new("ann".to_owned())).connect().await.unwrap();
    let ann = world.events(ann);
    let mut all = ann.subscribe("ann.>").and(">").await.unwrap();
    let mut acked = ann.subscribe(">").acked().await.unwrap();
    for n in 0..500 {
        publish(&near, "bob.secret", n).await;
    }
    publish(&near, "ann.news", 7).await;
    numbers(&mut all, [7]).await;
    numbers(&mut acked, [7]).await;
    assert!(is_silent(&mut all) && is_silent(&mut acked));
    assert_eq!(all.counts().gaps, 0, "what it may not see is not told as missing");
    drop((all, acked));
    shut(&world, served).await;
}
