//! `docs/errors.md` says what the kinds say.

use std::collections::BTreeSet;

use tekton_sdk::{
    ErrorKind,
    contract::Descriptor,
    host::{self, Operations},
};

const PAGE: &str = include_str!("../../docs/errors.md");

#[test]
fn the_pages_table_is_the_codes_table() {
    let rows = ErrorKind::ALL
        .iter()
        .map(|kind| format!("| `{kind}` | {} | {} | {} |", kind.what_happened(), kind.was_it_sent(), kind.retry()));
    for row in rows {
        assert!(PAGE.contains(&row), "docs/errors.md lacks the row\n{row}");
    }
}

#[test]
fn the_openapi_document_has_every_status_and_code_of_the_page() {
    let document = host::openapi(&Descriptor::new("lab", "1.0.0"), &Operations::new());
    let responses = document["components"]["responses"].as_object().expect("there are responses");
    let mut statuses = BTreeSet::new();
    for line in PAGE.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, status, codes, _, _] = cells[..] else { continue };
        if status.parse::<u16>().is_err() {
            continue;
        }
        statuses.insert(status);
        let response = responses.get(status).unwrap_or_else(|| panic!("the document lacks {status}"));
        let description = response["description"].as_str().expect("it has a description");
        for code in codes.split(", ") {
            assert!(description.contains(code), "{status} lacks {code}: {description}");
        }
    }
    assert_eq!(statuses.len(), responses.len(), "{statuses:?}");
}
