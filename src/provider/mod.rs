//! What a provider IS, as data: endpoints, client authentication, wire, models, lifecycle.
//!
//! Providers are rows of `builtin.toml` or of an operator's file; protocols are the closed enums here, matched
//! without `_` wherever they mean something.

mod catalog;
mod consent;
mod lifecycle;
mod model;
mod own;
mod quirks;
mod refusal;
mod spec;

pub use catalog::{Catalog, CatalogError};
pub use consent::{Consent, Pkce};
pub use lifecycle::{Lifecycle, Terms};
pub use model::{Model, ModelRef, rounded};
pub use own::own;
pub use quirks::{Quirks, QuotaReadout};
pub use refusal::meaning_of;
pub use spec::{
    AfterGrant, ChatAuth, ClientAuth, Envelope, ErrorStyle, GrantKind, InvalidProviderId, LoginKind,
    OAuthClient, OAuthSpec, Provider, ProviderId, RateLimitScope, Wire,
};
