//! What there is to know about pods: the handbook, and the fields of a Pod from Kubernetes' own schema.

pub mod behaviour;
pub mod field;
pub mod handbook;
pub mod language;
