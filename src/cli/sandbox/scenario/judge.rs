//! Whether what a scenario expects holds, and what was found where it does not.

use std::time::Duration;

use super::{super::play, stage::Stage};
use crate::{
    cli::failure::Failure,
    clock,
    pool::CredentialView,
    sandbox::{
        discord::{GatewayNote, Message},
        scenario::{CredentialKind, Ending, Expectation, Target},
        vendor::{Kind, Recorded},
    },
};

/// How long something may take to come about that no answer waits for: a watched folder, a resumed session.
const PATIENCE: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(40);

impl Stage<'_> {
    /// `None` when it holds, otherwise what was found.
    pub(super) async fn judge(&mut self, expectation: &Expectation) -> Result<Option<String>, Failure> {
        let patience = match expectation {
            // The answers are complete: they will not become others.
            Expectation::AnswerContains(_)
            | Expectation::AnswerLacks(_)
            | Expectation::Answer(_)
            | Expectation::AnsweredBy(_)
            | Expectation::Messages(_) => Duration::ZERO,
            Expectation::TokenRequests(..)
            | Expectation::Chats(..)
            | Expectation::RateLimited(_)
            | Expectation::Resumed(_)
            | Expectation::State { .. }
            | Expectation::Rests(_)
            | Expectation::Told(_) => PATIENCE,
        };
        let until = clock::instant() + patience;
        loop {
            self.tell()?;
            let found = self.found(expectation);
            if found.is_none() || clock::instant() >= until {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn found(&self, expectation: &Expectation) -> Option<String> {
        // Of answers that are not there, everything would hold.
        if expectation.is_about_answers() {
            let answers = self.answers();
            if answers.is_empty() || answers.iter().any(Vec::is_empty) {
                return Some("there is no answer".to_owned());
            }
        }
        let unless = |holds: bool, found: String| (!holds).then_some(found);
        match expectation {
            Expectation::AnswerContains(text) => self
                .texts()
                .into_iter()
                .find(|answer| !answer.contains(text))
                .map(|answer| format!("one says: {answer}")),
            Expectation::AnswerLacks(text) => self
                .texts()
                .into_iter()
                .find(|answer| answer.contains(text))
                .map(|answer| format!("one says: {answer}")),
            Expectation::Answer(ending) => {
                let wrong = self.answers().into_iter().find(|answer| ended(answer) != *ending);
                wrong.map(|answer| format!("one says: {}", text_of(&answer)))
            }
            Expectation::AnsweredBy(who) => {
                let requests = self.sandbox.vendors().requests();
                let taken = requests.iter().rev().find(|request| {
                    request.kind == Kind::Chat && request.status == Some(200) && request.number >= self.last.1
                });
                let account = taken.map(|request| (request.provider.clone(), request.account.clone()));
                match account {
                    Some((provider, account)) if provider == who.provider && account == who.account => None,
                    Some((provider, account)) => {
                        Some(format!("it was {provider} {}", account.unwrap_or_default()))
                    }
                    None => Some("nobody took it".to_owned()),
                }
            }
            Expectation::Messages(bounds) => {
                let counts =
                    self.answers().into_iter().map(|answer| u64::try_from(answer.len()).unwrap_or(u64::MAX));
                counts.into_iter().find(|count| !bounds.hold(*count)).map(|count| format!("one has {count}"))
            }
            Expectation::TokenRequests(of, bounds) => {
                let count = self.requests(of, Kind::Token);
                unless(bounds.hold(count), format!("there were {count}"))
            }
            Expectation::Chats(of, bounds) => {
                let count = self.requests(of, Kind::Chat);
                unless(bounds.hold(count), format!("there were {count}"))
            }
            Expectation::RateLimited(bounds) => {
                let all = self.sandbox.recorded_requests();
                let count = count(all.iter().filter(|request| request.status == 429));
                unless(bounds.hold(count), format!("there were {count}"))
            }
            Expectation::Resumed(bounds) => {
                let all = self.sandbox.gateway_log();
                let count =
                    count(all.iter().filter(|entry| matches!(entry.note, GatewayNote::Resumed { .. })));
                unless(bounds.hold(count), format!("there were {count}"))
            }
            Expectation::State { name, is } => match self.view(name) {
                Some(view) => unless(view.state.name() == is, format!("it is {}", view.state.name())),
                None => Some("the pool does not have it".to_owned()),
            },
            Expectation::Rests(name) => match self.view(name) {
                Some(view) => {
                    let rests = view.cooling_until.is_some() || !view.cooling_models.is_empty();
                    unless(rests, format!("it is {}", view.state.name()))
                }
                None => Some("the pool does not have it".to_owned()),
            },
            Expectation::Told(text) => {
                unless(self.told.iter().any(|told| told.contains(text)), "it did not".to_owned())
            }
        }
    }

    /// The answers to the last questions, one list of messages each.
    fn answers(&self) -> Vec<Vec<Message>> {
        self.last.0.iter().map(|question| self.sandbox.answers(*question)).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.answers().iter().map(|answer| text_of(answer)).collect()
    }

    fn requests(&self, of: &Target, kind: Kind) -> u64 {
        let meant = |request: &&Recorded| {
            request.kind == kind
                && request.provider == of.provider
                && (of.account.is_none() || request.account == of.account)
        };
        count(self.sandbox.vendors().requests().iter().filter(meant))
    }

    /// A credential as the pool shows it.
    fn view(&self, name: &str) -> Option<CredentialView> {
        let credential = self.scenario.credential(name)?;
        let accounts = self.world.accounts();
        let is_meant = |view: &CredentialView| {
            let place = match &credential.kind {
                CredentialKind::Login { file, .. } => view.place == *file,
                CredentialKind::Key => accounts.get(&view.place) == Some(&credential.account),
            };
            place
                && view.provider.as_ref().is_some_and(|provider| provider.to_string() == credential.provider)
        };
        self.pool.snapshot().credentials.into_iter().find(is_meant)
    }
}

/// What is expected, in words.
pub(super) fn described(expectation: &Expectation) -> String {
    match expectation {
        Expectation::AnswerContains(text) => format!("the answer says “{text}”"),
        Expectation::AnswerLacks(text) => format!("the answer does not say “{text}”"),
        Expectation::Answer(Ending::Finished) => "the answer is complete".to_owned(),
        Expectation::Answer(Ending::Failed) => "the answer says what failed".to_owned(),
        Expectation::AnsweredBy(who) => format!("{} answered", who.name),
        Expectation::Messages(bounds) => format!("messages of the answer: {bounds}"),
        Expectation::TokenRequests(of, bounds) => format!("token requests of {}: {bounds}", of.name),
        Expectation::Chats(of, bounds) => format!("chats asked of {}: {bounds}", of.name),
        Expectation::RateLimited(bounds) => format!("answers of Discord with 429: {bounds}"),
        Expectation::Resumed(bounds) => format!("sessions resumed: {bounds}"),
        Expectation::State { name, is } => format!("the state of {name}: {}", is.replace('_', " ")),
        Expectation::Rests(name) => format!("{name} rests"),
        Expectation::Told(text) => format!("the pool tells of “{text}”"),
    }
}

fn ended(answer: &[Message]) -> Ending {
    if answer.iter().any(play::has_failed) { Ending::Failed } else { Ending::Finished }
}

fn text_of(answer: &[Message]) -> String {
    answer.iter().map(Message::text).collect::<Vec<_>>().join("\n")
}

fn count<T>(those: impl Iterator<Item = T>) -> u64 {
    u64::try_from(those.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use crate::{pool::State, sandbox::scenario::STATES};

    #[test]
    fn a_scenario_knows_every_state_of_the_pool() {
        assert_eq!(STATES, State::ALL.map(State::name));
    }
}
