//! A component is tested with the generated fake of the one that it calls: no socket, no server, no sleep.
//! Run with: `cargo run --example testing_without_a_network`
//! Expect: what the component makes of an answer, of a failure, and what it asked for.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] } (among the dev-dependencies)
//!                     tokio = { version = "1", features = ["macros", "rt"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use tekton_sdk::{Component, ErrorKind, Result, service, testing::TestBed};

// ---- the component that is called; its client, its client trait and its fake are generated

/// Knows temperatures.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Thermometer;

#[service]
impl Thermometer {
    /// The temperature of a place, in degrees Celsius.
    #[op(read)]
    async fn temperature(&self, place: &str) -> Result<f64> {
        Ok(if place == "Oslo" { -3.5 } else { 21.0 })
    }
}

// ---- the component under test; it takes whatever answers as a thermometer does

/// Advises on clothes.
#[derive(Component)]
#[component(version = "1.0.0", depends_on("thermometer"))]
struct Wardrobe {
    thermometer: Arc<dyn ThermometerApi>,
}

#[service]
impl Wardrobe {
    /// Says what to wear in a place.
    #[op(read)]
    async fn advise(&self, place: String) -> Result<String> {
        Ok(match self.thermometer.temperature(&place).await {
            Ok(degrees) if degrees < 10.0 => format!("{degrees} degrees: take a coat"),
            Ok(degrees) => format!("{degrees} degrees: no coat"),
            Err(_) => "nobody knows: take a coat".to_owned(),
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // The component alone: its methods are still plain methods.
    let fake = Arc::new(FakeThermometer::new());
    fake.on_temperature().answers(-10.0).fails(ErrorKind::Timeout).answers_with(|arguments| {
        let place: String = arguments.get("place")?;
        Ok(if place == "Rome" { 30.0 } else { 0.0 })
    });
    let wardrobe = Wardrobe { thermometer: fake.clone() };
    for (place, advice) in [
        ("Oslo", "-10 degrees: take a coat"),
        ("Oslo", "nobody knows: take a coat"),
        ("Rome", "30 degrees: no coat"),
        ("Oslo", "0 degrees: take a coat"),
    ] {
        assert_eq!(wardrobe.advise(place.to_owned()).await?, advice);
        println!("{place}: {advice}");
    }
    let asked: Vec<_> = fake.calls().of("temperature").iter().map(|call| call.arguments["place"].to_string()).collect();
    println!("asked for: {}", asked.join(", "));

    // The same with the real one, in a mesh within this process.
    let bed = TestBed::new()?;
    bed.serve(Thermometer).await?;
    let real: ThermometerClient = bed.tekton().find().await?;
    bed.serve(Wardrobe { thermometer: Arc::new(real) }).await?;
    let wardrobe: WardrobeClient = bed.tekton().find().await?;
    println!("in a mesh: {}", wardrobe.advise("Oslo".to_owned()).await?);
    bed.shutdown().await
}
