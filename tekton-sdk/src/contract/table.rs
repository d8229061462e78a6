//! What only a run can know of a table of operations.

use super::{Operation, Tool};
use crate::{error::FieldError, names::OperationName};

/// What is wrong with these operations of one component, each under `operations.<name>`: names that are none or there
/// twice, missing descriptions, parameters that are there twice, and schemas that no tool may have.
pub(crate) fn problems(table: &[&Operation]) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for (at, operation) in table.iter().enumerate() {
        let key = format!("operations.{}", operation.name);
        if let Err(error) = OperationName::new(operation.name) {
            wrong.push(FieldError::new(&key, error.to_string()));
        }
        if table[..at].iter().any(|earlier| earlier.name == operation.name) {
            wrong.push(FieldError::new(&key, "is served twice; give one of them another name"));
        }
        if operation.description.trim().is_empty() {
            wrong.push(FieldError::new(&key, "has no description; say what it does"));
        }
        for (at, parameter) in operation.parameters.iter().enumerate() {
            if operation.parameters[..at].iter().any(|earlier| earlier.name == parameter.name) {
                wrong.push(FieldError::new(format!("{key}.{}", parameter.name), "is listed twice"));
            }
        }
        let tool = Tool::of(operation).validate().into_iter();
        wrong.extend(tool.map(|field| FieldError::new(format!("{key}.{}", field.field), field.problem)));
    }
    wrong
}
