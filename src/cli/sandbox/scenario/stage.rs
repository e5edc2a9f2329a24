//! Where a scenario is played: carries out its deeds, lets people speak, and tells what happens meanwhile.

use std::time::Duration;

use tokio::sync::mpsc;

use super::super::{
    play::{self, PATIENCE},
    story::{Story, Whose},
    world::World,
};
use crate::{
    cli::failure::Failure,
    pool::Pool,
    sandbox::{
        Sandbox,
        discord::{Id, Message},
        scenario::{Deed, Said, Scenario, Speaker, Target},
        vendor::{Fault, Kind, Recorded, Reply},
    },
};

/// How often it is looked whether there is something to tell.
const LOOK: Duration = Duration::from_millis(40);

/// Everything a play needs.
pub(in crate::cli::sandbox) struct Parts<'a> {
    /// The emulated world.
    pub(in crate::cli::sandbox) sandbox: &'a Sandbox,
    /// The bot's files.
    pub(in crate::cli::sandbox) world: &'a World,
    /// What is played.
    pub(in crate::cli::sandbox) scenario: &'a Scenario,
    /// Who tells it.
    pub(in crate::cli::sandbox) story: &'a Story,
    /// The bot's pool.
    pub(in crate::cli::sandbox) pool: Pool,
    /// The pool's news, in sentences.
    pub(in crate::cli::sandbox) news: mpsc::UnboundedReceiver<String>,
}

/// A play under way.
pub(in crate::cli::sandbox) struct Stage<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) scenario: &'a Scenario,
    pub(super) story: &'a Story,
    pub(super) pool: Pool,
    pub(super) world: &'a World,
    news: mpsc::UnboundedReceiver<String>,
    /// What the pool has told.
    pub(super) told: Vec<String>,
    /// Questions without a complete answer.
    open: Vec<Id>,
    /// The questions that were asked last, and the number of the first request to a provider after them.
    pub(super) last: (Vec<Id>, u64),
    /// Whom the question was put to last, by provider and account; nobody while a crowd asks.
    asked: Option<String>,
    /// The next request to a provider that was not looked at.
    next: u64,
    /// Requests that had no answer when they were looked at.
    unanswered: Vec<u64>,
}

impl<'a> From<Parts<'a>> for Stage<'a> {
    fn from(parts: Parts<'a>) -> Self {
        let Parts { sandbox, world, scenario, story, pool, news } = parts;
        Self {
            sandbox,
            scenario,
            story,
            pool,
            world,
            news,
            told: Vec::new(),
            open: Vec::new(),
            last: (Vec::new(), 0),
            asked: None,
            next: 0,
            unanswered: Vec::new(),
        }
    }
}

impl Stage<'_> {
    /// Waits for something and tells meanwhile what happens.
    pub(super) async fn during<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                done = &mut future => {
                    self.tell()?;
                    return Ok(done);
                }
                () = tokio::time::sleep(LOOK) => self.tell()?,
            }
        }
    }

    /// Tells what the pool and the providers did since the last time; the same thing many times is told once.
    pub(super) fn tell(&mut self) -> Result<(), Failure> {
        let requests = self.sandbox.vendors().requests();
        let waited = std::mem::take(&mut self.unanswered);
        let mut news = Vec::new();
        for request in &requests {
            if request.number < self.next && !waited.contains(&request.number) {
                continue;
            }
            if request.number >= self.next
                && let Some(text) = self.failover_told(request)
            {
                news.push((Whose::Pool, text));
            }
            if request.status.is_none() {
                self.unanswered.push(request.number);
            } else if let Some(text) = request_told(request) {
                news.push((Whose::Provider, text));
            }
        }
        self.next = requests.last().map_or(self.next, |last| last.number + 1);
        while let Ok(text) = self.news.try_recv() {
            news.push((Whose::Pool, text.clone()));
            self.told.push(text);
        }
        for same in news.chunk_by(|one, next| one == next) {
            let Some((whose, text)) = same.first() else { continue };
            match same.len() {
                1 => self.story.happened(*whose, text)?,
                times => self.story.happened(*whose, &format!("{text} ({times} times)"))?,
            }
        }
        Ok(())
    }

    /// That a question goes on to another credential; a crowd's chats cannot be told apart.
    fn failover_told(&mut self, request: &Recorded) -> Option<String> {
        let alone = self.last.0.len() == 1 && request.number >= self.last.1;
        if request.kind != Kind::Chat || !alone {
            return None;
        }
        let to = format!("{} {}", request.provider, request.account.as_deref()?);
        let from = self.asked.replace(to.clone()).filter(|from| *from != to)?;
        Some(format!("{from}: fails over to {to}"))
    }

    /// Lets something begin or end.
    pub(super) async fn carry_out(&mut self, deed: &Deed) -> Result<(), Failure> {
        let (sandbox, world, scenario) = (self.sandbox, self.world, self.scenario);
        self.during(carry_out(sandbox, world, scenario, deed)).await?
    }

    /// Somebody says something, or a crowd does.
    pub(super) fn say(&mut self, said: &Said) -> Result<(), Failure> {
        let places = self.sandbox.discord().landmarks();
        let (who, speakers) = match said.by {
            Speaker::Owner => ("Olivia".to_owned(), vec![(places.owner, places.channel)]),
            Speaker::Guest => ("Gus".to_owned(), vec![(places.guest, places.channel)]),
            Speaker::Crowd(number) => {
                let speakers = (1..=number).map(|one| {
                    let person = self.sandbox.add_person(&format!("Person {one}"));
                    (person, self.sandbox.add_channel(&format!("room-{one}")))
                });
                (format!("{number} people at once"), speakers.collect())
            }
        };
        self.tell()?;
        self.last = (Vec::new(), self.next);
        self.asked = None;
        for (user, channel) in speakers {
            let (asked, shown) = play::ask(self.sandbox, user, channel, &said.text);
            if self.last.0.is_empty() {
                self.story.said(&who, &shown)?;
            }
            match asked {
                Ok(question) => self.last.0.push(question),
                Err(error) => return Err(Failure::Failed(anyhow::anyhow!("this cannot be said: {error}"))),
            }
        }
        self.open.extend(&self.last.0);
        Ok(())
    }

    /// Waits until every open answer can be read in part.
    pub(super) async fn until_text(&mut self) -> Result<(), Failure> {
        let sandbox = self.sandbox;
        for question in self.open.clone() {
            let begun = sandbox.wait_for(PATIENCE, |sandbox| {
                sandbox.answers(question).iter().any(|answer| !answer.content.is_empty()).then_some(())
            });
            let begun = self.during(begun).await?;
            begun.map_err(|late| Failure::Failed(anyhow::anyhow!("an answer did not begin {late}")))?;
        }
        Ok(())
    }

    /// Waits until every open answer is complete, and shows the first.
    pub(super) async fn until_answered(&mut self) -> Result<(), Failure> {
        let sandbox = self.sandbox;
        let open = std::mem::take(&mut self.open);
        let all = futures::future::join_all(open.iter().map(|question| play::settled(sandbox, *question)));
        let all = self.during(all).await?;
        let complete: Vec<&Vec<Message>> = all.iter().flatten().collect();
        for message in complete.first().copied().into_iter().flatten() {
            self.story.answer(sandbox, message)?;
        }
        if complete.len() > 1 {
            self.story.said("Cortana", &format!("(and {} more answers)", complete.len() - 1))?;
        }
        let late = all.len() - complete.len();
        if late > 0 {
            let within = PATIENCE.as_secs();
            return Err(Failure::Failed(anyhow::anyhow!(
                "{late} answers were not complete within {within} s"
            )));
        }
        Ok(())
    }
}

/// Carries out a deed; before the bot runs too.
pub(super) async fn carry_out(
    sandbox: &Sandbox,
    world: &World,
    scenario: &Scenario,
    deed: &Deed,
) -> Result<(), Failure> {
    let vendors = sandbox.vendors();
    // Names were checked when the scenario was read.
    let credential = |name: &str| scenario.credential(name).into_iter();
    match deed {
        Deed::Fault { of, at, times, act } => {
            let account = of.account.clone();
            vendors.fault(&of.provider, Fault { at: *at, account, times: *times, act: act.clone() });
        }
        Deed::Throttle { of, retry_after_secs, times } => {
            let act = sandbox.quota_of(&of.provider, *retry_after_secs);
            let account = of.account.clone();
            vendors.fault(&of.provider, Fault { at: Kind::Chat, account, times: *times, act });
        }
        Deed::Clear(Target { provider, account: Some(account), .. }) => {
            vendors.clear_faults_of(provider, account);
        }
        Deed::Clear(Target { provider, account: None, .. }) => vendors.clear_faults(provider),
        Deed::Expire(of) => each(scenario, of, |account| vendors.expire_access(&of.provider, account)),
        Deed::Revoke(of) => each(scenario, of, |account| vendors.revoke_refresh(&of.provider, account)),
        Deed::Script { provider, text, pace } => {
            let reply = Reply::text(text);
            vendors.script(
                provider,
                vec![match pace {
                    Some(pace) => reply.paced(*pace),
                    None => reply,
                }],
            );
        }
        Deed::Discord(fault) => sandbox.fault(fault.clone()),
        Deed::DiscordLatency(by) => sandbox.set_latency(*by),
        Deed::DiscordClear => sandbox.clear_faults(),
        Deed::Gateway(fault) => sandbox.gateway_fault(*fault),
        Deed::Advance(by) => sandbox.advance(*by),
        Deed::Add(name) => {
            for login in credential(name) {
                world.add(sandbox, login)?;
            }
        }
        Deed::Rotate(name) => {
            for login in credential(name) {
                world.rotate(sandbox, login)?;
            }
        }
        Deed::Remove(name) => {
            for login in credential(name) {
                world.remove(login)?;
            }
        }
        Deed::Pause(span) => tokio::time::sleep(*span).await,
    }
    Ok(())
}

/// Every account that a target means.
fn each(scenario: &Scenario, of: &Target, what: impl Fn(&str)) {
    let meant = scenario.credentials.iter().filter(|one| {
        one.provider == of.provider && of.account.as_ref().is_none_or(|account| *account == one.account)
    });
    meant.for_each(|one| what(&one.account));
}

/// A request to a provider and its answer in a sentence; `None` for what says nothing to somebody who watches.
fn request_told(request: &Recorded) -> Option<String> {
    let account = request.account.as_deref().unwrap_or("somebody unknown");
    let (provider, status) = (&request.provider, request.status?);
    let (what, well) = match request.kind {
        Kind::Chat => ("a chat", "taken"),
        Kind::Token => ("a refresh", "granted"),
        Kind::Revoke
        | Kind::UserInfo
        | Kind::Setup
        | Kind::Authorize
        | Kind::Device
        | Kind::Models
        | Kind::Other => {
            return None;
        }
    };
    Some(if status == 200 {
        format!("{provider} {account}: {what} is {well} (200)")
    } else {
        format!("{provider} {account}: {what} is refused ({status})")
    })
}
