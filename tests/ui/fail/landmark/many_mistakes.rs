//! All mistakes are told at once.
use tekton_sdk::landmark;

#[landmark(kind = "integration_point", title = 3, protocol = "", tags(1), author = "me", author = "you", colour = "red")]
fn shelf() {}

#[landmark(title = "A shelf")]
fn no_kind() {}

#[landmark(kind = "danger_zone", title = "A shelf", risk_level = "huge", review_required = 3)]
fn wrong_values() {}

#[landmark(kind = "danger zone", title = "A shelf")]
fn wrong_kind() {}

#[landmark(kind = "dangerzone", title = "A shelf")]
fn near_kind() {}

trait Shelf {
    #[landmark(kind = "note", title = "A shelf")]
    fn without_a_body(&self);
}

fn main() {}
