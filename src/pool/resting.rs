//! A rest in memory and a rest as it is remembered: what of the one follows from the other.

use chrono::DateTime;

use super::{
    cooldown::{Mark, Rest},
    line::{AFTERLIFE, Rests, Span},
};

/// Writes down a rest that is not the known one; whether it was.
pub(super) fn follow_rest(known: &mut Rests, rest: Option<&Rest>, at: i64) -> bool {
    let is_over = |until: i64| until.saturating_add(AFTERLIFE) < at;
    let rest = rest.filter(|rest| !is_over(rest.until.timestamp_millis()));
    let current = known.current().filter(|span| !is_over(span.until));
    match (rest, current) {
        (None, None) => false,
        (None, Some(_)) => {
            known.clear();
            true
        }
        (Some(rest), Some(span)) if is_same(rest, span) => false,
        (Some(rest), _) => {
            known.set(span(rest, at));
            true
        }
    }
}

/// Adds a rest to what is known; whether it says more.
pub(super) fn add_rest(known: &mut Rests, rest: &Rest, at: i64) -> bool {
    let set_at = at.max(known.cleared_at.saturating_add(1));
    let span = Span { set_at, ..span(rest, at) };
    let joined = known.join(&Rests { cleared_at: known.cleared_at, spans: vec![span] });
    let is_more = *known != joined;
    *known = joined;
    is_more
}

fn is_same(rest: &Rest, span: &Span) -> bool {
    rest.until.timestamp_millis() == span.until
        && rest.step == span.step
        && rest.probe_at.map(|at| at.timestamp_millis()) == span.probe_at
        && rest.cause == span.cause
        && rest.reason == span.reason
}

fn span(rest: &Rest, at: i64) -> Span {
    Span {
        until: rest.until.timestamp_millis(),
        set_at: at,
        step: rest.step,
        probe_at: rest.probe_at.map(|at| at.timestamp_millis()),
        cause: rest.cause,
        reason: rest.reason.clone(),
        made_at: rest.made_at.timestamp_millis(),
    }
}

/// Puts the known rest in the place of another. A success of a lease that is taken from now on ends it.
pub(super) fn show_rest(known: &Rests, rest: &mut Option<Rest>, mark: Mark, at: i64) {
    let current = known.current().filter(|span| span.until.saturating_add(AFTERLIFE) >= at);
    match (current, rest.as_ref()) {
        (None, _) => *rest = None,
        (Some(span), Some(rest)) if is_same(rest, span) => {}
        (Some(span), _) => {
            let instant = |at| DateTime::from_timestamp_millis(at).unwrap_or_default();
            let same = rest.as_ref().filter(|rest| rest.until.timestamp_millis() == span.until);
            *rest = Some(Rest {
                until: instant(span.until),
                made_at: instant(span.made_at),
                probe_at: span.probe_at.map(instant),
                // A request of ours that tries it is under way whatever others say.
                probe: rest.as_ref().and_then(|rest| rest.probe),
                open: false,
                cause: span.cause,
                reason: span.reason.clone(),
                step: span.step,
                since: same.map_or(mark, |rest| rest.since),
            });
        }
    }
}
