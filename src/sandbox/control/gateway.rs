//! `/control/gateway`: what happened on the gateway, what goes wrong there, and what it tells and allows.

use axum::extract::State as Extracted;
use serde_json::json;

use super::{
    super::{GatewaySettings, Sandbox, discord::GatewayFault},
    Outcome, Sent, done,
};

pub(super) async fn log(Extracted(sandbox): Extracted<Sandbox>) -> Outcome {
    done(sandbox.gateway_log())
}

pub(super) async fn fault(
    Extracted(sandbox): Extracted<Sandbox>,
    Sent(fault): Sent<GatewayFault>,
) -> Outcome {
    sandbox.gateway_fault(fault);
    done(json!({}))
}

pub(super) async fn set(
    Extracted(sandbox): Extracted<Sandbox>,
    Sent(settings): Sent<GatewaySettings>,
) -> Outcome {
    sandbox.set_gateway(settings);
    done(json!({}))
}
