//! A contract that two crates share: a trait in one crate, a component that serves it in another, a caller in a third.
//! Run with: `cargo run --example contract`
//! Expect: the same question answered by two components, the better one first, and by a fake.
//!
//! In each Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] } (`testing` for the fake)
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

/// What stands in the crate that both sides depend on.
mod weather {
    use tekton_sdk::{Result, service};

    /// Who forecasts.
    #[service(component = "meteo", capability = "weather.forecast")]
    pub(crate) trait Forecast {
        /// Says what the weather will be.
        ///
        /// # Arguments
        /// * `place` - where
        /// * `days` - how far ahead; tomorrow if left out
        #[op(read, timeout = "2s")]
        async fn forecast(&self, place: String, days: Option<u32>) -> Result<String>;
    }
}

/// What stands in the crates of two components that serve it.
mod servers {
    use tekton_sdk::{Component, Result};

    use super::weather::{Forecast, ForecastService};

    /// Asks the clouds.
    #[derive(Component)]
    #[component(name = "meteo", version = "2.0.0", capabilities("weather.forecast" = 0.9), services(Forecast))]
    pub(crate) struct Meteo;

    impl Forecast for Meteo {
        async fn forecast(&self, place: String, days: Option<u32>) -> Result<String> {
            Ok(format!("{place} in {} days: sun", days.unwrap_or(1)))
        }
    }

    /// Asks a frog.
    #[derive(Component)]
    #[component(name = "frog", version = "0.1.0", capabilities("weather.forecast" = 0.2), services(Forecast))]
    pub(crate) struct Frog;

    impl Forecast for Frog {
        async fn forecast(&self, place: String, _: Option<u32>) -> Result<String> {
            Ok(format!("{place}: quak"))
        }
    }
}

use tekton_sdk::{Component, Result, Tekton};
use weather::{FakeForecast, ForecastApi, ForecastClient};

/// What stands in the caller's crate: it takes whatever answers as the contract says.
async fn plan(weather: &dyn ForecastApi) -> Result<String> {
    weather.forecast("Oslo".to_owned(), Some(3)).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("planner").build()?;
    let frog = servers::Frog.serve(&tekton).start().await?;
    let only_the_frog: ForecastClient = tekton.find().await?;
    let answer = plan(&only_the_frog).await?;
    assert_eq!(answer, "Oslo: quak");
    println!("the frog alone: {answer}");

    let meteo = servers::Meteo.serve(&tekton).start().await?;
    let best: ForecastClient = tekton.find().await?;
    let answer = plan(&best).await?;
    assert_eq!(answer, "Oslo in 3 days: sun");
    println!("the better one: {answer}");

    let fake = FakeForecast::new();
    fake.on_forecast().answers("snow".to_owned());
    let answer = plan(&fake).await?;
    assert_eq!((answer.as_str(), fake.calls().count()), ("snow", 1));
    println!("a fake:         {answer}");

    assert!(meteo.shutdown().await && frog.shutdown().await);
    Ok(())
}
