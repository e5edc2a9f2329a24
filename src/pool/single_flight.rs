//! One flight at a time: who is under way, who joins, who is told how it ended.
//!
//! Knows neither tokens nor tasks nor the mutex around its place, so that its tests can hand every order of steps to a
//! controlled scheduler.

use tokio::sync::watch;

/// How far a flight is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress<T> {
    /// Under way.
    Flying,
    /// What was wanted can be had; the steps after it are under way.
    Published,
    /// Over.
    Ended(T),
}

/// A flight under way, in the place that one thing has for it.
#[derive(Debug)]
pub(super) struct Flight<E, T> {
    /// What it does.
    pub(super) errand: E,
    progress: watch::Receiver<Progress<T>>,
}

/// What a flight's end leads to.
pub(super) trait Landing<T> {
    /// Takes the end in. It must empty the flight's place; whoever waits is told right after.
    fn land(&self, ended: &T);

    /// The end of a flight that broke off under way.
    fn broken_off(&self) -> T;
}

/// A flight's way to say how far it is.
///
/// Dropped under way (a panic, a runtime that ends), it lands as broken off. Dropped before it took off, it does nothing:
/// whoever starts a task may hold the mutex around the place, and a flight whose pilot is gone is in nobody's way.
pub(super) struct Pilot<T, L: Landing<T>> {
    landing: L,
    progress: watch::Sender<Progress<T>>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Boarding,
    UnderWay,
    Landed,
}

/// Joins the flight in this place, or starts one, which is the caller's to fly then. The receiver reports what happens
/// from now on.
pub(super) fn board<E, T, L: Landing<T>>(
    place: &mut Option<Flight<E, T>>,
    errand: E,
    landing: L,
) -> (watch::Receiver<Progress<T>>, Option<Pilot<T, L>>) {
    if let Some(flight) = place {
        let mut progress = flight.progress.clone();
        progress.mark_unchanged();
        // An error says that its pilot is gone, without a landing: it never took off.
        if progress.has_changed().is_ok() {
            return (progress, None);
        }
    }
    let (sender, progress) = watch::channel(Progress::Flying);
    *place = Some(Flight { errand, progress: progress.clone() });
    (progress, Some(Pilot { landing, progress: sender, stage: Stage::Boarding }))
}

/// Waits for the end of a flight. `None`: it never took off.
pub(super) async fn ended<T: Clone>(mut progress: watch::Receiver<Progress<T>>) -> Option<T> {
    loop {
        if let Progress::Ended(ended) = &*progress.borrow_and_update() {
            return Some(ended.clone());
        }
        if progress.changed().await.is_err() {
            return None;
        }
    }
}

impl<T, L: Landing<T>> Pilot<T, L> {
    /// It is under way: from here on it lands, whatever happens. Not while the mutex around its place is held.
    pub(super) fn take_off(&mut self) {
        self.stage = Stage::UnderWay;
    }

    /// What was wanted can be had from now on.
    pub(super) fn published(&self) {
        self.progress.send_replace(Progress::Published);
    }

    /// Lands.
    pub(super) fn end(mut self, ended: T) {
        self.stage = Stage::Landed;
        self.touch_down(ended);
    }

    /// The place is free before anybody is told, so that who comes back at once starts anew.
    fn touch_down(&self, ended: T) {
        self.landing.land(&ended);
        self.progress.send_replace(Progress::Ended(ended));
    }
}

impl<T, L: Landing<T>> Drop for Pilot<T, L> {
    fn drop(&mut self) {
        match self.stage {
            Stage::UnderWay => self.touch_down(self.landing.broken_off()),
            Stage::Boarding | Stage::Landed => {}
        }
    }
}

#[cfg(test)]
#[path = "single_flight_tests.rs"]
mod tests;
