//! Three language models: one is chosen and it is said why, several are asked at once, and a budget bounds what all of it costs.
//! Run with: `cargo run --example routing`
//! Expect: two models that can see enough, the better buy first; answers by name; a refusal before the budget is overdrawn.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] }
//!                     tokio = { version = "1", features = ["macros", "rt"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    Component, Context, ErrorKind, Result, Tekton,
    context::{Allowance, Budget, Cost},
    contract::{Descriptor, Operation, Parameter},
    data,
    directory::{Preference, Query},
    host::Operations,
    patterns::request::{Reply, ScatterCall},
    time::SharedClock,
    transport::MemoryTransport,
};

const GENERATE: Operation = Operation::read("generate", "Continues a text.")
    .parameters(&[Parameter::required("prompt", "what to continue").of::<String>()])
    .returns::<String>();

/// A model that is not one: it waits as long as it would think.
#[derive(Clone)]
struct Model {
    name: &'static str,
    score: f64,
    window: u64,
    cost: f64,
    thinks: Duration,
    clock: SharedClock,
}

impl Model {
    async fn generate(&self, context: &Context, prompt: String) -> Result<String> {
        // Set aside before the work, counted after it: a model knows only then how many tokens it took.
        let most = context.budget().map(|budget| budget.reserve(Cost::tokens(500))).transpose()?;
        self.clock.sleep(self.thinks).await;
        if let Some(most) = most {
            most.settle(Cost::tokens(40 * prompt.split_whitespace().count() as u64));
        }
        Ok(format!("{}: {prompt} … and so on.", self.name))
    }
}

impl Component for Model {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.name, "1.0.0")
            .scored_capability("text.generate", self.score)
            .context_window(self.window)
            .cost(self.cost)
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new().on(&self, GENERATE, |model, context, args| async move {
            model.generate(&context, args.get("prompt")?).await
        })
    }
}

#[data]
struct Prompt {
    prompt: String,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let transport = MemoryTransport::new();
    let tekton = Tekton::builder().named("router").transport(transport.clone()).build()?;
    let mut served = Vec::new();
    for (name, score, window, cost, seconds) in
        [("small", 0.5, 8_000, 0.001, 1), ("middle", 0.8, 64_000, 0.004, 3), ("large", 0.9, 200_000, 0.02, 9)]
    {
        let (thinks, clock) = (Duration::from_secs(seconds), tekton.clock().clone());
        let model = Model { name, score, window, cost, thinks, clock };
        served.push(model.serve(&tekton).in_memory(&transport).start().await?);
    }

    // Whoever can see 32,000 tokens at once; how good it is matters as much as what it costs.
    let able = Query::capability("text.generate").with_min_context_window(32_000);
    let best = able.preferring(Preference::new().score(1.0).cost(1.0));
    for choice in tekton.choose(&best).await? {
        println!("{choice}");
    }
    let prompt = Prompt { prompt: "Qubits are neither".to_owned() };
    let reply: Reply<String> = tekton.peer_for(best).request("generate").json(&prompt).await?;
    println!("the best one    {}", *reply);

    let ask = || -> ScatterCall<String> {
        let anybody = Query::capability("text.generate").preferring(Preference::new().score(1.0));
        tekton.scatter(anybody).request("generate").json(&prompt).read()
    };
    println!("the first one   {}", *ask().first().await?);
    let agreed = ask().quorum(2).await?;
    println!("two of three    {}", agreed.iter().map(|answer| answer.holder()).collect::<Vec<_>>().join(", "));

    // Everything below this budget pays from it. Money: what each model declares; tokens: what each call may take at most.
    let budget = Budget::new(Allowance::tokens(1_400).with_micros(25_000));
    let work = async {
        loop {
            let middle = tekton.peer("middle");
            let call = middle.request::<String>("generate").json(&prompt).spend_at_most(Allowance::tokens(500));
            match call.await {
                Ok(reply) => println!("paid            {}; left: {}", reply.spent().unwrap_or_default(), budget.left()),
                Err(refused) => return refused,
            }
        }
    };
    let refused = Context::new().with_budget(budget.clone()).scope(work).await;
    println!("refused         {}", refused.report());
    assert_eq!(refused.kind(), ErrorKind::Rejected);
    assert!(budget.limit().covers(budget.spent()));

    for served in served {
        served.shutdown().await;
    }
    Ok(())
}
