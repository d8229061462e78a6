//! `docs/errors.md` says what the kinds say.

use tekton_sdk::ErrorKind;

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
