//! What a lease does to a credential, and what the lease table is told of it: the same truth as [`Entry::readiness`], with
//! when it changes by itself.

use chrono::{DateTime, Utc};

use super::{
    cooldown::{Mark, Rest, Verdict},
    entry::Entry,
    table::{Class, Outlook, Until},
    window::Phase,
};

/// The millisecond that an instant lies in.
pub(super) fn millisecond(now: DateTime<Utc>) -> i64 {
    now.timestamp_millis()
}

/// The first millisecond at which an instant has come: what rests is lent a millisecond late rather than early.
fn reached(at: DateTime<Utc>) -> i64 {
    let floor = at.timestamp_millis();
    if at.timestamp_subsec_nanos().is_multiple_of(1_000_000) { floor } else { floor.saturating_add(1) }
}

/// The end of a rest, and when it first says something else; `None` while it lets a request try.
fn held_by(rest: &Rest, now: DateTime<Utc>) -> Option<(Until, i64)> {
    match rest.verdict(now) {
        Verdict::Try => None,
        Verdict::Until(until) => {
            let until = Until { in_vain: !rest.cause.passes(), at: reached(until) };
            let changes_at = rest.changes_at(now).map_or(until.at, reached);
            Some((until, changes_at))
        }
    }
}

impl Entry {
    /// Lends it: counts, and takes the one try of what rests, or rested and has not served since.
    pub(super) fn lend(&mut self, model: &str, taken: Mark, now: DateTime<Utc>) {
        self.requests += 1;
        self.in_flight += 1;
        self.last_used_at = Some(now);
        for rest in [self.rest.as_mut(), self.models.get_mut(model)].into_iter().flatten() {
            rest.try_by(taken, now);
        }
    }

    /// Whether it, or a model on it, rests or has rested: what a lease and its return change about that shows in the table.
    pub(super) fn rests(&self) -> bool {
        self.rest.is_some() || !self.models.is_empty()
    }

    /// Where it stands now, for every model at once.
    pub(super) fn outlook(&self, now: DateTime<Utc>) -> Outlook {
        let used = self.requests;
        if self.is_barred() {
            return Outlook { class: Class::Barred, changes_at: None, used, models: Vec::new() };
        }
        if let Some((until, changes_at)) = self.rest.as_ref().and_then(|rest| held_by(rest, now)) {
            let (class, changes_at) = (Class::Resting(until), Some(changes_at));
            return Outlook { class, changes_at, used, models: Vec::new() };
        }
        let backing_off = self.trouble.as_ref().filter(|_| self.is_backing_off(now));
        let stale = if backing_off.is_some() { Class::Failing } else { Class::Stale };
        let phase = self.phase(now);
        let class = match phase {
            Phase::Hard if !self.can_refresh() || self.refused_client().is_some() => Class::Spent,
            Phase::Hard => stale,
            Phase::Fresh | Phase::Early if self.lacks_facts() => stale,
            Phase::Fresh | Phase::Early => Class::Ready,
        };
        let hard_at = match phase {
            Phase::Fresh | Phase::Early => self.window.hard_at(),
            Phase::Hard => None,
        };
        let instants = [hard_at, backing_off.map(|trouble| trouble.until)].into_iter().flatten();
        let mut changes_at = instants.map(reached).min();
        let mut models = Vec::new();
        for (model, rest) in &self.models {
            if let Some((until, at)) = held_by(rest, now) {
                models.push((model.clone(), until));
                changes_at = changes_at.into_iter().chain([at]).min();
            }
        }
        models.sort_unstable();
        Outlook { class, changes_at, used, models }
    }
}
