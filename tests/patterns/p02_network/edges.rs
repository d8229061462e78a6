//! Whom a host's name and a page's origin keep out.

use super::{sse::ask, *};

/// The status of `/events` and of `/ws`, for a request with these headers besides the usual ones.
async fn statuses(served: &Served, headers: &[(&'static str, &str)]) -> (u16, u16) {
    let stream = tokio::net::TcpStream::connect(crate::ws::raw::address(served.endpoint())).await.unwrap();
    let lines: String = headers.iter().map(|(name, value)| format!("\r\n{name}: {value}")).collect();
    let events = raw(stream, &format!("GET /events?topics=%3E HTTP/1.1{lines}\r\n\r\n")).await;
    let ws = match Raw::open_with(served.endpoint(), headers).await {
        Ok(_) => 101,
        Err(status) => status,
    };
    (events, ws)
}

async fn raw(mut stream: tokio::net::TcpStream, text: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_mean_this_machine_hears_nothing() {
    let served = serve(&events(&broker(1, None))).await;
    let port = crate::ws::raw::address(served.endpoint()).port();
    for (host, events, ws) in [
        (format!("127.0.0.1:{port}"), 200, 101),
        (format!("localhost:{port}"), 200, 101),
        (format!("evil.example:{port}"), 403, 403),
        ("evil.example".to_owned(), 403, 403),
    ] {
        // Such a page says no origin, or its own, which is that of the host that it asks.
        assert_eq!(statuses(&served, &[("host", &host)]).await, (events, ws), "{host}");
        let own = format!("http://{host}");
        assert_eq!(statuses(&served, &[("host", &host), ("origin", &own)]).await, (events, ws), "{host}");
    }
    let text = ask(&served, "GET /events?topics=a HTTP/1.1\r\nHost: evil.example", "}").await;
    assert!(text.contains(r#""code":"host_refused""#) && text.contains("`host.allowed_hosts`"), "{text}");
}

#[tokio::test]
async fn other_names_are_those_that_were_named() {
    let tekton = tekton();
    let config =
        HostConfig::default().with_allowed_hosts(["kitchen.internal"]).with_ws_origins(["https://app.example"]);
    let events = events(&broker(1, None));
    let serve = Quiet.serve(&tekton).with_config(config).events(&events).advertise("box.example");
    let served = serve.start().await.unwrap();
    let port = served.endpoint().rsplit(':').next().unwrap().to_owned();
    let at = Served::endpoint(&served).replace("box.example", "127.0.0.1");
    for (headers, wanted) in [
        (vec![("host", format!("kitchen.internal:{port}"))], 101),
        (vec![("host", format!("box.example:{port}"))], 101),
        // A proxy that leaves the name as it was, in front of the page's own origin.
        (vec![("host", "app.example".to_owned()), ("origin", "https://app.example".to_owned())], 101),
        // And one that asks by the address.
        (vec![("host", format!("127.0.0.1:{port}")), ("origin", "https://app.example".to_owned())], 101),
        (vec![("host", "app.example".to_owned()), ("origin", "https://evil.example".to_owned())], 403),
        (vec![("host", "evil.example".to_owned()), ("origin", "https://app.example".to_owned())], 403),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let opened = Raw::open_with(&at, &headers).await;
        assert_eq!(opened.map_or_else(|status| status, |_| 101), wanted, "{headers:?}");
    }
}

#[tokio::test]
async fn what_a_page_of_another_origin_has_its_browser_ask_is_refused_though_it_says_no_origin() {
    let served = serve(&events(&broker(1, None))).await;
    let host = crate::ws::raw::address(served.endpoint()).to_string();
    for (site, wanted) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
        let told = statuses(&served, &[("host", &host), ("sec-fetch-site", site)]).await;
        assert_eq!(told.0, wanted, "{site}");
    }
}
